/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_NODESTATE_H
#define CORE_NODESTATE_H

#include "core/control.h"
#include "core/lcm.h"
#include "core/netnews.h"
#include "core/node.h"
#include "core/state.h"

/* What a node is made of: for core/node.c, which builds it, and
 * core/nodestatus.c, which tells of it. */
struct core_node {
	struct core_env *env;
	struct core_config *config;
	struct core_links *links;
	struct core_sessions *sessions;
	struct core_lcm *lcm;
	struct core_control *control;
	struct core_netnews *netnews;
	struct core_state *state;
	struct core_layer_up up;
	struct muses_timer trim;
	struct muses_id id;
	char name[MUSES_NAME_MAX + 1];
	uint64_t since_ns;
	bool started;
};

#endif
