/* SPDX-License-Identifier: MIT */
/*
 * devices.h - device rules inside the library: their bounds, and what v1's controller can hold.
 */
#ifndef CGFS_DEVICES_H
#define CGFS_DEVICES_H

#include <cgfs/device.h>

/* What a dev_t of the kernel holds: 12 bits of major, 20 bits of minor. */
#define CGFS_DEVICE_MAJOR_MAX 4095
#define CGFS_DEVICE_MINOR_MAX 1048575

/* Refuses a rule that no text could have made: a type, number or access out of range. */
CGFS_CHECK int cgfs_device_rule_check(const struct cgfs_device_rule *rule,
				      struct cgfs_err *reterr);

/*
 * Reads "rwm" in any order into CGFS_ACCESS_* bits; 0 when it is empty or has another letter.
 */
uint32_t cgfs_device_access_parse(const char *text, size_t len);

#endif
