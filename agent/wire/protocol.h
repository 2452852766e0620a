/* SPDX-License-Identifier: MIT */
/*
 * protocol.h - the words of the bridge protocol: message types, HRESULTs, fixed ids.
 * One table each; names, numbers and texts cannot drift apart.  See docs/gcs-compat.md and
 * docs/protocol-extensions.md.
 */
#ifndef AGENT_COMMON_PROTOCOL_H
#define AGENT_COMMON_PROTOCOL_H

#include <stdint.h>

/* The whole message, header included. */
#define FRAME_HEADER_SIZE 16u
#define FRAME_SIZE_MAX	  0x10000u

#define PROTOCOL_VERSION 4u

/* ContainerId of the utility VM itself. */
#define PROTOCOL_UVM_ID "00000000-0000-0000-0000-000000000000"

#define PROTOCOL_WAIT_FOREVER 0xffffffffu

/* X(NAME, type, "name as the reference prints it"): requests of protocol version 4. */
#define PROTOCOL_REQUESTS(X)                                                                       \
	X(CREATE, 0x10100101u, "ComputeSystemCreateV1")                                            \
	X(START, 0x10100201u, "ComputeSystemStartV1")                                              \
	X(SHUTDOWN_GRACEFUL, 0x10100301u, "ComputeSystemShutdownGracefulV1")                       \
	X(SHUTDOWN_FORCED, 0x10100401u, "ComputeSystemShutdownForcedV1")                           \
	X(EXECUTE_PROCESS, 0x10100501u, "ComputeSystemExecuteProcessV1")                           \
	X(WAIT_FOR_PROCESS, 0x10100601u, "ComputeSystemWaitForProcessV1")                          \
	X(SIGNAL_PROCESS, 0x10100701u, "ComputeSystemSignalProcessV1")                             \
	X(RESIZE_CONSOLE, 0x10100801u, "ComputeSystemResizeConsoleV1")                             \
	X(GET_PROPERTIES, 0x10100901u, "ComputeSystemGetPropertiesV1")                             \
	X(MODIFY_SETTINGS, 0x10100a01u, "ComputeSystemModifySettingsV1")                           \
	X(NEGOTIATE, 0x10100b01u, "ComputeSystemNegotiateProtocolV1")                              \
	X(DUMP_STACKS, 0x10100c01u, "ComputeSystemDumpStacksV1")                                   \
	X(DELETE_STATE, 0x10100d01u, "ComputeSystemDeleteContainerStateV1")                        \
	/* ours: category 0xcf; docs/protocol-extensions.md */                                     \
	X(EXT_LIST_PODS, 0x1cf00101u, "CgfsListPodsV1")                                            \
	X(EXT_POD_STATS, 0x1cf00201u, "CgfsPodStatsV1")                                            \
	X(EXT_SUBSCRIBE_EVENTS, 0x1cf00301u, "CgfsSubscribeEventsV1")                              \
	X(EXT_DELETE_POD, 0x1cf00401u, "CgfsDeletePodV1")                                          \
	X(EXT_CREATE_POD, 0x1cf00501u, "CgfsCreatePodV1")                                          \
	X(EXT_UPDATE_POD, 0x1cf00601u, "CgfsUpdatePodV1")

#define PROTOCOL_ENUM(name, type, text) MSG_##name = type,
enum protocol_message { PROTOCOL_REQUESTS(PROTOCOL_ENUM) };

/* CGFS_READ_* bits: the figures of PodStats without All, of ListPods with Figures "brief", and of
 * one line of `podctl ls`. */
#define PROTOCOL_READ_BRIEF                                                                        \
	(CGFS_READ_MEMORY | CGFS_READ_CPU | CGFS_READ_PIDS | CGFS_READ_POLICY | CGFS_READ_CGROUP)
/* All figures of struct cgfs_stats, and no lists: ListPods with Figures "all". */
#define PROTOCOL_READ_FIGURES                                                                      \
	(PROTOCOL_READ_BRIEF | CGFS_READ_MEMORY_STAT | CGFS_READ_IO | CGFS_READ_PRESSURE)

/* X("name", bit): other lists of figures, in ListPods' Figures: "usage,pressure". */
#define PROTOCOL_FIGURES(X)                                                                        \
	X("usage", CGFS_READ_USAGE)                                                                \
	X("memory", CGFS_READ_MEMORY)                                                              \
	X("memory_stat", CGFS_READ_MEMORY_STAT)                                                    \
	X("cpu", CGFS_READ_CPU)                                                                    \
	X("pids", CGFS_READ_PIDS)                                                                  \
	X("policy", CGFS_READ_POLICY)                                                              \
	X("io", CGFS_READ_IO)                                                                      \
	X("pressure", CGFS_READ_PRESSURE)                                                          \
	X("cgroup", CGFS_READ_CGROUP)

/* CGFS_READ_* bits of a list of names, "brief" and "all"; 0: it is none. */
unsigned int protocol_figures(const char *names);
#define PROTOCOL_FIGURES_MAX 80
/* The names of bits; @buf is returned. */
char *protocol_figures_text(unsigned int what, char buf[PROTOCOL_FIGURES_MAX]);

/* Notifications, agent to client; their id is 0. */
#define MSG_NOTIFICATION	   0x30100101u
#define MSG_EXT_EVENT_NOTIFICATION 0x3cf00101u

#define PROTOCOL_KIND(type)	(((type) >> 28) & 0xfu)
#define PROTOCOL_RESPONSE(type) (0x20000000u | ((type)&0x0fffffffu))

/* X(NAME, value, "meaning") */
#define PROTOCOL_HRESULTS(X)                                                                       \
	X(OK, 0, "success")                                                                        \
	X(NOT_IMPL, 0x80004001u, "not implemented, or not now")                                    \
	X(FAIL, 0x80004005u, "unspecified failure")                                                \
	X(NOT_FOUND, 0x80070490u, "element not found")                                             \
	X(INVALID_ARG, 0x80070057u, "invalid argument")                                            \
	X(TIMEOUT, 0xc0370109u, "operation timed out")                                             \
	X(UNKNOWN_MESSAGE, 0xc037010bu, "unknown message")                                         \
	X(UNSUPPORTED_VERSION, 0xc037010cu, "unsupported protocol version")                        \
	X(INVALID_JSON, 0xc037010du, "invalid JSON document")                                      \
	X(SYSTEM_NOT_FOUND, 0xc037010eu, "no such container")                                      \
	X(SYSTEM_EXISTS, 0xc037010fu, "container already exists")                                  \
	X(SYSTEM_STOPPED, 0xc0370110u, "container already stopped")                                \
	X(INVALID_STATE, 0x80370105u, "not valid in the present state")

#define PROTOCOL_HR_ENUM(name, value, text) HR_##name = value,
enum protocol_hresult { PROTOCOL_HRESULTS(PROTOCOL_HR_ENUM) };

/* "ComputeSystemCreateV1"; NULL for a type that is not in the table. */
const char *protocol_name(uint32_t type);
/* "no such container"; "unknown HRESULT" for a value that is not in the table. */
const char *protocol_hresult_text(uint32_t hr);
/* The HRESULT that stands for a negative errno. */
uint32_t protocol_hresult_from_errno(int code);
/* And a negative errno that comes closest to an HRESULT; 0 for success. */
int protocol_errno_from_hresult(uint32_t hr);

#endif
