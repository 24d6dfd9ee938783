/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_SERVICE_H
#define CORE_SERVICE_H

#include "core/config.h"
#include "core/lcm.h"

/*
 * The part of LCM that answers peers: which services there are, who may use
 * them, and what happens to a stream that asks for one.
 */
struct core_service_entry;

struct core_services {
	struct core_env *env;
	const struct core_lcm_host *host;
	struct core_connections *connections;
	struct core_service_entry *first; /* Of the configuration. */
	struct core_lcm_taken *taken;     /* By programs. */
};

/* A list made from the configuration, checked and copied, not yet in use.  0,
 * MUSES_ECONFIG with why, MUSES_ENOMEM. */
int core_services_make(struct core_service_entry **list, const struct core_service *service,
                       size_t count, const char *folder, char *why, size_t why_size);
void core_services_free(struct core_service_entry *list);
/* From now on list (taken over) is what the configuration offers. */
void core_services_use(struct core_services *all, struct core_service_entry *list);
/* See core_lcm_accept(), core_lcm_take(). */
void core_services_accept(struct core_services *all, struct core_stream *s,
                          const char *service);
int core_services_take(struct core_services *all, const char *name,
                       const struct muses_list *allow, core_lcm_arrived_fn *arrived,
                       void *data, struct core_lcm_taken **taken);
/* What connect() to service answered: 0 or an errno. */
void core_services_answered(struct core_services *all, const char *service, int system);
/* Array of { name, connect, allow }; connect is null for one that is taken. */
json_t *core_services_info(const struct core_services *all);

#endif
