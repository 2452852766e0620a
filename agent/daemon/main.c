/* SPDX-License-Identifier: MIT */
/*
 * main.c - the program; all of it is agent_main(), which the tests call in a child.
 */
#include "agent/daemon/daemon.h"

int main(int argc, char **argv)
{
	return agent_main(argc, argv);
}
