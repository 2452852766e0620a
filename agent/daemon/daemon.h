/* SPDX-License-Identifier: MIT */
/*
 * daemon.h - the program as a function.
 */
#ifndef AGENT_DAEMON_H
#define AGENT_DAEMON_H

/* Its exit status. */
int agent_main(int argc, char **argv);

#endif
