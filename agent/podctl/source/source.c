/* SPDX-License-Identifier: MIT */
/*
 * source.c - chooses the source; what both of them use.
 */
#include "agent/podctl/source/source.h"
#include "agent/podctl/source/log.h"

#include <stdio.h>
#include <sys/signalfd.h>

static const struct source_ops *choose(const struct args *a)
{
	return args_agent(a) ? &source_agent : &source_direct;
}

int source_check(const struct args *a, struct cgfs_err *reterr)
{
	return choose(a)->check(a, reterr);
}

int source_open(const struct args *a, unsigned int use, struct source **ret,
		struct cgfs_err *reterr)
{
	return choose(a)->open(a, use, ret, reterr);
}

void source_explain(struct cgfs_err *err)
{
	char said[sizeof(err->text)];

	if (geteuid() == 0 || (err->code != -EACCES && err->code != -EPERM))
		return;
	snprintf(said, sizeof(said), "%s", err->text);
	cgfs_err_set(err, err->code, NULL, NULL, NULL,
		     "%s; run podctl as root (any user may look with --no-agent, and use apply "
		     "--no-bpf in a cgroup that was delegated)",
		     said);
}

int source_begin(const struct args *a, unsigned int use, struct source **ret)
{
	struct cgfs_err err = { 0 };

	if (source_check(a, &err) < 0) {
		out_usage(a, &err);
		return EXIT_USAGE;
	}
	if (source_open(a, use, ret, &err) < 0) {
		source_explain(&err);
		out_error(&err);
		return EXIT_FAILED;
	}
	return EXIT_OK;
}

int source_close(struct source *s, struct cgfs_err *reterr)
{
	return s ? s->ops->close(s, reterr) : 0;
}

int command_begin(struct command *cmd, const struct args *a, struct cgfs_err *reterr)
{
	static const int taken[] = { SIGTERM, SIGINT,  SIGHUP,	SIGQUIT,
				     SIGUSR1, SIGUSR2, SIGCHLD, SIGWINCH };
	sigset_t mask;
	int r = terminal_keys(&cmd->terminal, a->detach_keys ? a->detach_keys : "ctrl-p,ctrl-q",
			      reterr);

	if (r < 0)
		return r;
	/* If podctl's caller ignored it, there would be nothing to wait for. */
	signal(SIGCHLD, SIG_DFL);
	sigemptyset(&mask);
	for (size_t i = 0; i < ARRAY_SIZE(taken); i++)
		sigaddset(&mask, taken[i]);
	sigprocmask(SIG_BLOCK, &mask, &cmd->old_mask);
	cmd->sigfd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	return cmd->sigfd < 0 ? cgfs_err_set(reterr, -errno, "signalfd", NULL, NULL, NULL) : 0;
}

void command_end(struct command *cmd)
{
	terminal_end(&cmd->terminal);
	log_close(cmd->log);
	cmd->log = NULL;
	if (cmd->attached && cmd->pidfd >= 0)
		close(take_fd(&cmd->pidfd));
	if (cmd->sigfd >= 0)
		close(take_fd(&cmd->sigfd));
	json_decref(cmd->report.events);
	cmd->report.events = NULL;
}

int source_container(struct source *s, struct target *t, bool thawed, struct cgfs_err *reterr)
{
	const struct group_info *found = NULL;
	struct group_list list = { 0 };
	size_t n = 0;
	int r = s->ops->list(s, t, CGFS_READ_CGROUP, &list, reterr);

	for (size_t i = 0; r == 0 && i < list.n; i++) {
		if (*list.info[i].ctr) {
			found = &list.info[i];
			n++;
		}
	}
	if (r == 0 && n == 1) {
		snprintf(t->ctr, sizeof(t->ctr), "%s", found->ctr);
		if (thawed && streq(info_state(found), "frozen"))
			r = cgfs_err_set(reterr, -EBUSY, NULL, NULL, NULL,
					 "it is frozen; podctl thaw lets it go on");
	} else if (r == 0) {
		r = cgfs_err_set(reterr, n ? -EINVAL : -ENOENT, NULL, NULL, NULL,
				 n ? "the pod has %zu containers: name one, as POD/CONTAINER"
				   : "the pod has no container",
				 n);
	}
	list_free(&list);
	return r;
}

int command_signal(struct command *cmd, bool *ret_typed)
{
	struct signalfd_siginfo si;

	while (read(cmd->sigfd, &si, sizeof(si)) == sizeof(si)) {
		if (si.ssi_signo == SIGWINCH)
			terminal_resize(&cmd->terminal);
		if (si.ssi_signo == SIGCHLD || si.ssi_signo == SIGWINCH)
			continue;
		*ret_typed = si.ssi_code > 0;
		return (int)si.ssi_signo;
	}
	return 0;
}

int ids_add(struct ids *ids, const char *id)
{
	char **grown = reallocarray(ids->id, ids->n + 1, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	ids->id = grown;
	ids->id[ids->n] = strdup(id);
	if (!ids->id[ids->n])
		return -ENOMEM;
	ids->n++;
	return 0;
}

void ids_free(struct ids *ids)
{
	for (size_t i = 0; i < ids->n; i++)
		free(ids->id[i]);
	free(ids->id);
	*ids = (struct ids){ 0 };
}
