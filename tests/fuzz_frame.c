/* SPDX-License-Identifier: Apache-2.0 */
/* The frames of an opened packet: reading ends, stays inside, and gives only what
 * may be relied on (see frames.h). */
#include "tests/frames.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!frames_read_sane(data, size))
		abort();
	return 0;
}
