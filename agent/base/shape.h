/* SPDX-License-Identifier: MIT */
/*
 * shape.h - the types of all members of a JSON value, as one text.
 *
 *   {NAME:SHAPE,...}  an object; other members are ignored, absent and null ones are right
 *   [SHAPE]           a list of these
 *   <SHAPE>           an object whose names are data, with these as values
 *   s b               a string; true or false
 *   h w u             a whole number from 0 to 2^16 - 1, 2^32 - 1, 2^64 - 1
 *   j i               a whole number with a sign, of 32 or 64 bits
 *   ?                 anything
 */
#ifndef AGENT_SHAPE_H
#define AGENT_SHAPE_H

#include "agent/base/json.h"

/*
 * Does @v have this shape?  Members that the shape names in another case of their letters get its
 * spelling; of several that differ in that alone the last one counts.  false: @why says
 * "a.b[0].c is not ...".
 */
bool shape_fits(json_t *v, const char *shape, char why[JSON_WHY_MAX]);

#endif
