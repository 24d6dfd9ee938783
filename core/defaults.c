/* SPDX-License-Identifier: Apache-2.0 */
/* Weak until core/link.c and core/session.c bring theirs. */
#include "core/link.h"
#include "core/session.h"

__attribute__((weak)) const struct core_links_config core_links_defaults = {
	.keepalive_ms = 2000,
	.dead_ms = 3000,
	.hello_ms = 5000,
	.most = 1024,
	.queue_bytes = 4u << 20,
};

__attribute__((weak)) const struct core_sessions_config core_sessions_defaults = {
	.most_sessions = 1024,
	.most_streams = 4096,
	.stream_window = 1u << 20,
	.session_window = 4u << 20,
	.rekey_s = 3600,
	.keystep_s = 3600,
};
