/* SPDX-License-Identifier: MIT */
/*
 * sized.h - structures that begin with their size, so that library and caller may be of different
 * versions.
 *
 * A caller compiled against an older header passes a smaller structure: what it does not have is
 * zero on the way in and is not written on the way out.  A caller compiled against a newer header
 * passes a larger one: the members that are unknown here must be zero, because a request that
 * cannot be understood must not be ignored.
 *
 * Only the members behind the size travel; `sz` itself stays what its owner wrote.
 */
#ifndef CGFS_SIZED_H
#define CGFS_SIZED_H

#include "cgfs/base/util.h"

/* Larger than any structure will ever be: a size beyond it was never set. */
#define SIZED_MAX ((size_t)65536)

/* Is @user usable where this library knows @own bytes?  @what names it in errors: "opts". */
static inline int sized_check(const void *user, size_t own, const char *what,
			      struct cgfs_err *reterr)
{
	const unsigned char *p = user;
	size_t sz;

	memcpy(&sz, user, sizeof(sz));
	if (sz < sizeof(sz) || sz > SIZED_MAX)
		return cgfs_err_set(reterr, -EINVAL, "check", what, NULL,
				    "sz is %zu; begin with the initializer of the structure", sz);
	for (size_t i = own; i < sz; i++)
		if (p[i])
			return cgfs_err_set(reterr, -E2BIG, "check", what, NULL,
					    "byte %zu is set, but this library (%s) knows %zu", i,
					    CGFS_VERSION, own);
	return 0;
}

/* In: copies what @user has into @copy, zero elsewhere; with NULL all of it is zero. */
static inline int sized_in(void *copy, size_t own, const void *user, const char *what,
			   struct cgfs_err *reterr)
{
	size_t sz = 0;
	int r = user ? sized_check(user, own, what, reterr) : 0;

	if (r < 0)
		return r;
	if (user)
		memcpy(&sz, user, sizeof(sz));
	if (sz > own)
		sz = own;
	memset(copy, 0, own);
	if (sz)
		memcpy(copy, user, sz);
	memcpy(copy, &own, sizeof(own));
	return 0;
}

/* Out: fills @user, which sized_check() has accepted, as far as it reaches. */
static inline void sized_out(void *user, const void *value, size_t own)
{
	size_t sz;

	memcpy(&sz, user, sizeof(sz));
	if (sz > own)
		sz = own;
	memcpy((char *)user + sizeof(sz), (const char *)value + sizeof(sz), sz - sizeof(sz));
}

/* The same with the sizes of what the pointers point to. */
#define SIZED_CHECK(user, err)	  sized_check(user, sizeof(*(user)), #user, err)
#define SIZED_IN(copy, user, err) sized_in(copy, sizeof(*(copy)), user, #user, err)
#define SIZED_OUT(user, value)	  sized_out(user, value, sizeof(*(value)))

/* Does *@p, made by another version, have @member? */
#define SIZED_HAS(p, member) ((p)->sz >= offsetof(__typeof__(*(p)), member) + sizeof((p)->member))

/* Element @i of an array that another version made: its first element says how long each is. */
#define SIZED_AT(array, i)                                                                         \
	((__typeof__(array))(const void *)((const char *)(array) + (i) * (array)->sz))

#endif
