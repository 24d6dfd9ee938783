/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses: what is accepted prints as something that means the same. */
#include "core/address.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct core_address a, b;
	char text[CORE_ADDRESS_PATH_MAX + 100], printed[CORE_ADDRESS_TEXT_SIZE], why[512];

	if (size >= sizeof(text))
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	if (core_address_parse(&a, text, CORE_ADDRESS_LISTEN, NULL, why, sizeof(why)) !=
	    0)
		return 0;
	core_address_text(&a, printed, sizeof(printed));
	if (core_address_parse(&b, printed, CORE_ADDRESS_LISTEN, NULL, why,
	                       sizeof(why)) != 0 ||
	    memcmp(&a, &b, sizeof(a)) != 0)
		abort();
	return 0;
}
