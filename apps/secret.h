/* SPDX-License-Identifier: Apache-2.0 */
#ifndef APPS_SECRET_H
#define APPS_SECRET_H

#include <muses/identity.h>

/* The text of a new identity; the caller cleanses it.  0 or MUSES_ECRYPTO. */
int secret_identity(char text[static MUSES_IDENTITY_TEXT_MAX]);
/* The public key of the identity in a file's text.  0, or an error with why. */
int secret_public(const char *identity, size_t size, uint8_t public_key[static 32],
                  char *why, size_t why_size);

#endif
