/* SPDX-License-Identifier: MIT */
/*
 * pause.h - podctl as the first process of a sandbox.
 */
#ifndef PODCTL_PAUSE_H
#define PODCTL_PAUSE_H

int pause_main(void);

#endif
