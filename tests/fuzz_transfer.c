/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of the file transfer: what is accepted means what it says. */
#include "apps/transfer.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t again[TRANSFER_HEAD + TRANSFER_BODY_MAX];
	struct transfer_message m;

	if (!transfer_read(data, size, &m))
		return 0;
	/* A name is below its folder, whatever came. */
	if (m.type == TRANSFER_OFFER &&
	    (strchr(m.text, '/') != NULL || m.text[0] == '.' ||
	     strlen(m.text) > TRANSFER_NAME_MAX))
		abort();
	/* Only a result's words may have been changed, for the terminal. */
	if (m.type != TRANSFER_RESULT &&
	    (transfer_write(&m, again) != size || memcmp(again, data, size) != 0))
		abort();
	return 0;
}
