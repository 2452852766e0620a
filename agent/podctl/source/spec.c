/* SPDX-License-Identifier: MIT */
/*
 * spec.c - makes an OCI runtime specification out of a root file system, a command and limits:
 * private namespaces, the usual mounts, the usual capabilities, no new privileges.
 */
#include "agent/podctl/source/spec.h"

#include <limits.h>
#include <stdio.h>

#define PAUSE "/dev/cgfs-pause"

static const char *const capabilities[] = {
	"CAP_CHOWN",  "CAP_DAC_OVERRIDE", "CAP_FOWNER",	 "CAP_FSETID",		 "CAP_KILL",
	"CAP_SETGID", "CAP_SETUID",	  "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_NET_RAW",
	"CAP_MKNOD",  "CAP_SYS_CHROOT",	  "CAP_SETFCAP", "CAP_AUDIT_WRITE",
};

static const char *const namespaces[] = { "pid", "mount", "ipc", "uts", "network" };

static const char *const masked[] = { "/proc/acpi",	  "/proc/kcore",
				      "/proc/keys",	  "/proc/latency_stats",
				      "/proc/timer_list", "/proc/sched_debug",
				      "/proc/scsi",	  "/sys/firmware" };

static const char *const readonly[] = { "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
					"/proc/sysrq-trigger" };

static const struct {
	const char *destination, *type, *source, *options; /* options: separated by commas */
} mounts[] = {
	{ "/proc", "proc", "proc", "nosuid,noexec,nodev" },
	{ "/dev", "tmpfs", "tmpfs", "nosuid,strictatime,mode=755,size=65536k" },
	{ "/dev/pts", "devpts", "devpts", "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620" },
	{ "/dev/shm", "tmpfs", "shm", "nosuid,noexec,nodev,mode=1777,size=65536k" },
	{ "/dev/mqueue", "mqueue", "mqueue", "nosuid,noexec,nodev" },
	{ "/sys", "sysfs", "sysfs", "nosuid,noexec,nodev,ro" },
};

static json_t *strings(const char *const *words, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_string(words[i]));
	return list;
}

static json_t *split(const char *text)
{
	json_t *list = json_array();

	while (*text) {
		size_t n = strcspn(text, ",");

		json_array_append_new(list, json_stringn(text, n));
		text += n + (text[n] == ',');
	}
	return list;
}

static json_t *mount(const char *destination, const char *type, const char *source,
		     const char *options)
{
	return json_pack("{s:s, s:s, s:s, s:o}", "destination", destination, "type", type, "source",
			 source, "options", split(options));
}

/* podctl itself, so that a root file system needs to bring nothing for its sandbox. */
static json_t *pause_mount(void)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n < 0)
		return NULL;
	self[n] = '\0';
	return mount(PAUSE, "bind", self, "bind,ro");
}

/* --mount */
int oci_add_mounts(json_t *list, const struct mounts *m)
{
	for (size_t i = 0; i < m->n; i++) {
		if (json_array_append_new(
			    list, mount(m->mount[i].target, "bind", m->mount[i].source,
					m->mount[i].read_only ? "rbind,ro" : "rbind,rw")) < 0)
			return -ENOMEM;
	}
	return 0;
}

static json_t *all_mounts(const struct args *a, bool pause)
{
	json_t *list = json_array();

	for (size_t i = 0; i < ARRAY_SIZE(mounts); i++)
		json_array_append_new(list, mount(mounts[i].destination, mounts[i].type,
						  mounts[i].source, mounts[i].options));
	if ((pause && json_array_append_new(list, pause_mount()) < 0) ||
	    oci_add_mounts(list, &a->mounts) < 0) {
		json_decref(list);
		return NULL;
	}
	return list;
}

json_t *oci_process(const struct args *a, char *const *argv)
{
	static const char *const env[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root",
					   "TERM=xterm" };
	json_t *args = json_array(), *caps = strings(capabilities, ARRAY_SIZE(capabilities)), *o;
	const struct process_args *p = &a->process;
	json_t *all = strings(env, ARRAY_SIZE(env));

	for (size_t i = 0; argv && argv[i]; i++)
		json_array_append_new(args, json_string(argv[i]));
	if (!argv)
		json_array_append_new(args, json_string(PAUSE));
	for (size_t i = 0; i < p->n_env; i++)
		json_array_append_new(all, json_string(p->env[i]));
	o = json_pack("{s:o, s:o, s:s, s:b, s:b, s:{s:I, s:I, s:s*}, s:{s:O, s:O, s:O}}", "args",
		      args, "env", all, "cwd", p->workdir ? p->workdir : "/", "noNewPrivileges", 1,
		      "terminal", argv && a->tty, "user", "uid", (json_int_t)p->uid, "gid",
		      (json_int_t)p->gid, "username", p->named ? p->user : NULL, "capabilities",
		      "bounding", caps, "effective", caps, "permitted", caps);
	json_decref(caps);
	return o;
}

static json_t *linux_part(json_t *resources)
{
	json_t *list = json_array();

	for (size_t i = 0; i < ARRAY_SIZE(namespaces); i++)
		json_array_append_new(list, json_pack("{s:s}", "type", namespaces[i]));
	return json_pack("{s:o, s:o, s:o, s:o}", "namespaces", list, "resources", resources,
			 "maskedPaths", strings(masked, ARRAY_SIZE(masked)), "readonlyPaths",
			 strings(readonly, ARRAY_SIZE(readonly)));
}

/* JSON cannot carry what is not UTF-8. */
int oci_words(char *const *argv, struct cgfs_err *reterr)
{
	for (size_t i = 0; argv && argv[i]; i++) {
		json_t *word = json_string(argv[i]);

		if (!word)
			return cgfs_err_set(reterr, -EILSEQ, NULL, NULL, argv[i],
					    "is not UTF-8, which an agent needs");
		json_decref(word);
	}
	return 0;
}

int oci_spec(const struct args *a, const char *pod, const char *ctr, char *const *argv,
	     json_t **ret, struct cgfs_err *reterr)
{
	auto_free char *root = NULL;
	json_t *resources, *o;
	int r;

	if (a->rootfs)
		root = args_elsewhere(a) ? strdup(a->rootfs) : realpath(a->rootfs, NULL);
	if (!root && !a->oci_bundle)
		return cgfs_err_set(reterr, -errno, "root file system", a->rootfs, NULL, NULL);
	r = oci_words(argv, reterr);
	if (r == 0)
		r = limits_oci(&a->limits, false, &resources, reterr);
	if (r < 0)
		return r;

	if (a->oci_bundle) {
		r = oci_bundle(a, pod, ctr, argv, resources, ret, reterr);
		json_decref(resources);
		return r;
	}
	/* A workload shares the sandbox's name, or has none of its own. */
	o = json_pack("{s:s, s:o, s:{s:s, s:b}, s:s*, s:o, s:o, s:{s:s, s:s, s:s}}", "ociVersion",
		      "1.0.2", "process", oci_process(a, argv), "root", "path", root, "readonly", 0,
		      "hostname",
		      ctr	    ? NULL
		      : a->hostname ? a->hostname
				    : pod,
		      "mounts", all_mounts(a, !argv), "linux", linux_part(resources), "annotations",
		      "io.kubernetes.cri.container-type", ctr ? "container" : "sandbox",
		      "io.kubernetes.cri.sandbox-id", pod, "io.microsoft.cri.skip-pod-networking",
		      "true");
	if (!o)
		return no_memory(reterr);
	*ret = o;
	return 0;
}
