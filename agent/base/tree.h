/* SPDX-License-Identifier: MIT */
/*
 * tree.h - directories with what others have put into them.
 */
#ifndef AGENT_TREE_H
#define AGENT_TREE_H

#include <stdbool.h>

/* Removes all that is in the directory @path; true as well when it is not there.  No symbolic link
 * is followed and no mount is entered.  May take long: for a child process. */
bool tree_empty(const char *path);

#endif
