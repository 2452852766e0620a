/* SPDX-License-Identifier: MIT */
/*
 * members.h - the members of struct cgfs_resources, found by their CGFS_SET_ bits.
 */
#ifndef CGFS_MEMBERS_H
#define CGFS_MEMBERS_H

#include <cgfs/resources.h>
#include <cgfs/stats.h>

/* The names that an error uses: those by which the caller set the value. */
enum words {
	WORDS_OWN,     /* struct cgfs_resources */
	WORDS_OCI,     /* linux.resources */
	WORDS_UNIFIED, /* linux.resources.unified */
	WORDS_COUNT
};

struct member {
	uint64_t bit;
	const char *word[WORDS_COUNT];
	enum { MEMBER_U64, MEMBER_U32, MEMBER_BOOL, MEMBER_TEXT, MEMBER_LIST } type;
	size_t asked;	     /* its place in struct cgfs_resources */
	size_t applied;	     /* in struct cgfs_applied; 0: it is not there */
	enum cgfs_stat stat; /* the figure that shows it; CGFS_STAT_COUNT: none does */
};

#define MEMBERS 35
extern const struct member members[MEMBERS];

/* The first of @bits in the order of the table; NULL: there is none. */
const struct member *member_of(uint64_t bits);
/* Its name; "?" for what is not in the table. */
const char *member_word(uint64_t bits, enum words words);
/* The value of a MEMBER_U64 that is to be set. */
uint64_t member_asked(const struct cgfs_resources *res, uint64_t bit);

#endif
