/* SPDX-License-Identifier: MIT */
/*
 * tap_main.c - main() of a test program that has none.
 */
#include "tap.h"

int main(int argc, char **argv)
{
	return tap_main_added(argc, argv);
}
