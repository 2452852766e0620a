/* SPDX-License-Identifier: MIT */
/*
 * spec_shape.h - the types of the members of an OCI specification (shape.h).
 *
 * A runtime may take a member of a wrong type for an absent one, and run as root what has a user
 * "1000" in quotes.
 */
#ifndef AGENT_SPEC_SHAPE_H
#define AGENT_SPEC_SHAPE_H

#define SPEC_PROCESS_SHAPE                                                                         \
	"{terminal:b,consoleSize:{height:w,width:w},"                                              \
	"user:{uid:w,gid:w,umask:w,additionalGids:[w],username:s},args:[s],commandLine:s,env:[s]," \
	"cwd:s,capabilities:{bounding:[s],effective:[s],inheritable:[s],permitted:[s],"            \
	"ambient:[s]},rlimits:[{type:s,hard:u,soft:u}],noNewPrivileges:b,apparmorProfile:s,"       \
	"oomScoreAdj:j,scheduler:{policy:s,nice:j,priority:j,flags:[s],runtime:u,deadline:u,"      \
	"period:u},selinuxLabel:s,ioPriority:{class:s,priority:j},"                                \
	"execCPUAffinity:{initial:s,final:s}}"

/* The values are libcgfs's to read. */
#define SPEC_THROTTLE_SHAPE "[{major:?,minor:?,rate:?}]"
#define SPEC_RESOURCES_SHAPE                                                                       \
	"{memory:{limit:?,reservation:?,swap:?,kernel:?,kernelTCP:?,swappiness:?,"                 \
	"disableOOMKiller:?,admit:?,admitExempt:?,useHierarchy:?,checkBeforeUpdate:?},"            \
	"cpu:{shares:?,quota:?,period:?,cpus:?,mems:?,burst:?,idle:?,realtimeRuntime:?,"           \
	"realtimePeriod:?},pids:{limit:?},devices:[{allow:?,type:?,major:?,minor:?,access:?}],"    \
	"unified:?,blockIO:{weight:?,leafWeight:?,"                                                \
	"weightDevice:[{major:?,minor:?,weight:?,leafWeight:?}],"                                  \
	"throttleReadBpsDevice:" SPEC_THROTTLE_SHAPE                                               \
	",throttleWriteBpsDevice:" SPEC_THROTTLE_SHAPE                                             \
	",throttleReadIOPSDevice:" SPEC_THROTTLE_SHAPE                                             \
	",throttleWriteIOPSDevice:" SPEC_THROTTLE_SHAPE                                            \
	"},network:{classID:?,priorities:[{name:?,priority:?}]},"                                  \
	"hugepageLimits:[{pageSize:?,limit:?}],rdma:<{hcaHandles:?,hcaObjects:?}>}"

#define SPEC_HOOKS_SHAPE "[{path:s,args:[s],env:[s],timeout:j}]"
#define SPEC_IDS_SHAPE	 "[{containerID:w,hostID:w,size:w}]"

#define SPEC_SHAPE                                                                                 \
	"{ociVersion:s,process:" SPEC_PROCESS_SHAPE ",root:{path:s,readonly:b},hostname:s,"        \
	"domainname:s,mounts:[{destination:s,type:s,source:s,options:[s],"                         \
	"uidMappings:" SPEC_IDS_SHAPE ",gidMappings:" SPEC_IDS_SHAPE "}],"                         \
	"hooks:{prestart:" SPEC_HOOKS_SHAPE ",createRuntime:" SPEC_HOOKS_SHAPE                     \
	",createContainer:" SPEC_HOOKS_SHAPE ",startContainer:" SPEC_HOOKS_SHAPE                   \
	",poststart:" SPEC_HOOKS_SHAPE ",poststop:" SPEC_HOOKS_SHAPE "},annotations:<s>,"          \
	"windows:{devices:[{id:s,idType:s}],network:{networkNamespace:s}},"                        \
	"linux:{uidMappings:" SPEC_IDS_SHAPE ",gidMappings:" SPEC_IDS_SHAPE ",sysctl:<s>,"         \
	"resources:" SPEC_RESOURCES_SHAPE ",cgroupsPath:s,namespaces:[{type:s,path:s}],"           \
	"devices:[{path:s,type:s,major:i,minor:i,fileMode:w,uid:w,gid:w}],"                        \
	"seccomp:{defaultAction:s,defaultErrnoRet:w,architectures:[s],flags:[s],listenerPath:s,"   \
	"listenerMetadata:s,syscalls:[{names:[s],action:s,errnoRet:w,"                             \
	"args:[{index:w,value:u,valueTwo:u,op:s}]}]},rootfsPropagation:s,maskedPaths:[s],"         \
	"readonlyPaths:[s],mountLabel:s,intelRdt:{closID:s,l3CacheSchema:s,memBwSchema:s,"         \
	"enableCMT:b,enableMBM:b},personality:{domain:s,flags:[s]},"                               \
	"timeOffsets:<{secs:i,nanosecs:w}>}}"

#endif
