/* SPDX-License-Identifier: Apache-2.0 */
/* muses node, muses check: a process around one node. */
#include "core/node.h"
#include "apps/app.h"
#include "apps/notify.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define INSTRUMENTED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define INSTRUMENTED 1
#endif
#endif

struct process {
	struct core_loop *loop;
	struct core_node *node;
	struct core_log *log;
	struct muses_watch signals;
	sigset_t set;
};

static void harden(void)
{
	struct rlimit limit;

	umask(077);
#ifndef INSTRUMENTED /* The leak checker looks into its own process. */
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	limit = (struct rlimit){ 0, 0 };
	setrlimit(RLIMIT_CORE, &limit);
#endif
	signal(SIGPIPE, SIG_IGN);
	/* Ten thousand connections should not need somebody to think of this. */
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static void process_signal(struct muses_watch *w, uint32_t ready)
{
	struct process *p = muses_container(w, struct process, signals);
	struct signalfd_siginfo info;
	char why[1024];

	(void)ready;
	while (read(w->fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo != SIGHUP) {
			core_log(p->log, MUSES_INFO, "node", "stopping signal=%s",
			         info.ssi_signo == SIGTERM ? "TERM" : "INT");
			core_loop_stop(p->loop);
			continue;
		}
		notify("RELOADING=1");
		core_node_reload(p->node, why, sizeof(why)); /* Says what is wrong. */
		notify("READY=1");
	}
	muses_watch_drained(w, MUSES_READABLE | MUSES_HUNG);
}

static int watch_signals(struct process *p)
{
	int fd;

	sigemptyset(&p->set);
	sigaddset(&p->set, SIGTERM);
	sigaddset(&p->set, SIGINT);
	sigaddset(&p->set, SIGHUP);
	sigprocmask(SIG_BLOCK, &p->set, NULL);
	fd = signalfd(-1, &p->set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		return MUSES_ESYSTEM;
	return core_watch_open(p->loop, &p->signals, fd, MUSES_READABLE, process_signal);
}

/* From here on the node owns config. */
static int live(const struct app *app, struct process *p, struct core_env *env,
                struct core_config *config)
{
	char why[1024];
	int err;

	core_log_set_node(env->log, config->name);
	core_log_set_level(env->log, config->log_level);
	core_log_set_form(env->log, config->log_form);
	p->log = env->log;
	err = core_node_open(&p->node, env, config, why, sizeof(why));
	if (err != 0)
		return app_fail(app, APP_FAILED, "%s", why);
	if (watch_signals(p) != 0) {
		core_node_close(p->node);
		return app_fail(app, APP_FAILED, "cannot watch for signals");
	}
	err = core_node_start(p->node, why, sizeof(why));
	if (err == 0) {
		notify("READY=1");
		core_loop_run(p->loop);
		notify("STOPPING=1");
	}
	core_node_close(p->node);
	muses_watch_close(&p->signals);
	return err == 0 ? APP_OK : app_fail(app, APP_FAILED, "%s", why);
}

static int run(const struct app *app, struct core_config *config)
{
	struct process p = { .loop = core_loop_open(CORE_CLOCK_REAL) };
	struct core_pool *pool = core_pool_open(config->memory_bytes);
	struct core_env env;
	int code;

	if (p.loop == NULL || pool == NULL || core_env_open(&env, p.loop, 0) != 0) {
		core_config_free(config);
		return app_fail(app, APP_FAILED, "out of memory");
	}
	core_pool_close(env.pool);
	env.pool = pool;
	code = live(app, &p, &env, config);
	core_env_close(&env);
	core_loop_close(p.loop);
	return code;
}

/* ---- verbs ---------------------------------------------------------------- */

static bool read_config(struct app *app, int argc, char **argv,
                        struct core_loader **loader, struct core_config **config,
                        int *code)
{
	static const struct option options[] = { APP_OPTIONS, { NULL, 0, NULL, 0 } };
	char why[1024];
	int option, err;

	while ((option = getopt_long(argc, argv, APP_LETTERS, options, NULL)) != -1)
		if (!app_option(app, option, code))
			return false;
	if (argc - optind != 1) {
		*code = app_usage(app, "want one FILE");
		return false;
	}
	*loader = app_loader(app);
	*code = APP_FAILED;
	if (*loader == NULL)
		return false;
	err = core_config_read(config, argv[optind], *loader, why, sizeof(why));
	if (err == 0)
		return true;
	*code = app_fail(app, APP_FAILED, "%s: %s", argv[optind], why);
	core_loader_close(*loader);
	return false;
}

int app_node(struct app *app, int argc, char **argv)
{
	struct core_loader *loader;
	struct core_config *config;
	int code;

	harden();
	if (!read_config(app, argc, argv, &loader, &config, &code))
		return code;
	code = run(app, config);
	core_loader_close(loader);
	return code;
}

int app_check(struct app *app, int argc, char **argv)
{
	struct core_loader *loader;
	struct core_config *config;
	struct core_log *log = core_log_open("");
	char why[1024];
	int code;

	if (read_config(app, argc, argv, &loader, &config, &code)) {
		code = core_config_check_open(config, log, why, sizeof(why)) == 0
		               ? APP_OK
		               : app_fail(app, APP_FAILED, "%s: %s", config->path, why);
		for (size_t i = 0; code == APP_OK && i < config->warnings.count; i++)
			app_fail(app, 0, "%s: warning: %s", config->path,
			         config->warnings.item[i]);
		core_config_free(config);
		core_loader_close(loader);
	}
	core_log_close(log);
	return code;
}
