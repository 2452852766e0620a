/* SPDX-License-Identifier: MIT */
/*
 * cpu.h - what cpu.c has in a file of its own.
 */
#ifndef CGFS_CONTROLLER_CPU_H
#define CGFS_CONTROLLER_CPU_H

#include "cgfs/controller/base/ops.h"

/* Why the kernel refuses a limit of the processor (cpu_why.c). */
void ctl_cpu_why(const struct ctl_refused *w, char *buf, size_t len);

#endif
