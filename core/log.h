/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_LOG_H
#define CORE_LOG_H

#include <muses/plugin.h>

#include <stdarg.h>

/*
 * Where lines go: stderr as text ("info: bob srm: suspended ...") or as JSON
 * lines, or a test's own sink.  Control characters are escaped.  Never a key,
 * plaintext or a key-derived value, at any level.
 */
struct core_log;

enum core_log_form { CORE_LOG_TEXT = 0, CORE_LOG_JSON };
typedef void core_log_sink_fn(void *user, enum muses_level level, const char *who,
                              const char *message);

/* node: the name in front of each line, copied; may be "".  Begins at MUSES_INFO,
 * as text. */
struct core_log *core_log_open(const char *node);
void core_log_close(struct core_log *log);
void core_log_set_node(struct core_log *log, const char *node);
void core_log_set_level(struct core_log *log, enum muses_level level);
enum muses_level core_log_level(const struct core_log *log);
void core_log_set_form(struct core_log *log, enum core_log_form form);
/* Times in JSON lines are this loop's wall clock; without, the system's. */
struct core_loop;
void core_log_set_clock(struct core_log *log, const struct core_loop *loop);
/* The sink gets the message with its escapes. */
void core_log_set_sink(struct core_log *log, core_log_sink_fn *sink, void *user);
/* who: "session", "tcp": the part that speaks; may be NULL. */
void core_log(struct core_log *log, enum muses_level level, const char *who,
              const char *format, ...) __attribute__((format(printf, 4, 5)));
void core_vlog(struct core_log *log, enum muses_level level, const char *who,
               const char *format, va_list arguments) __attribute__((format(printf, 4, 0)));

#endif
