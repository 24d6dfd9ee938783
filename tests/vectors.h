/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_VECTORS_H
#define TESTS_VECTORS_H

/* The path of a file of published test vectors: in $MUSES_VECTORS, or in
 * shared/vectors beside the source tree, or in its tests/vectors.  NULL if it is
 * in none of them: then the test skips.  Valid until the next call. */
const char *vectors_path(const char *file);

#endif
