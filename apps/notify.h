/* SPDX-License-Identifier: Apache-2.0 */
#ifndef APPS_NOTIFY_H
#define APPS_NOTIFY_H

/* Tell the service manager, if there is one (NOTIFY_SOCKET), how we are:
 * "READY=1", "RELOADING=1", "STOPPING=1". */
void notify(const char *state);

#endif
