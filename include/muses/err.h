/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MUSES_ERR_H
#define MUSES_ERR_H

/*
 * The closed list of errors.
 *
 * Functions that can fail return 0 or one of these.  Numbers are negative, are
 * appended and are never used twice: they also stand in log lines and in the
 * control protocol.  What the network sends is never an error (see
 * muses_count() in muses/plugin.h); these are for us and for the local user.
 */
#define MUSES_ERRORS(X)                                                              \
	X(MUSES_ENOMEM, -1, "out of memory")                                         \
	X(MUSES_ESYSTEM, -2, "the operating system refused")                         \
	X(MUSES_ECONFIG, -3, "the configuration is not right")                       \
	X(MUSES_EPLUGIN, -4, "the plugin cannot be used")                            \
	X(MUSES_ECRYPTO, -5, "a cryptographic operation failed")                     \
	X(MUSES_EAUTH, -6, "not authentic")                                          \
	X(MUSES_EREPLAY, -7, "replayed")                                             \
	X(MUSES_EMALFORMED, -8, "malformed")                                         \
	X(MUSES_EUNKNOWN, -9, "no such name")                                        \
	X(MUSES_EUNREACHABLE, -10, "the peer cannot be reached")                     \
	X(MUSES_EREFUSED, -11, "refused")                                            \
	X(MUSES_ECLOSED, -12, "closed")                                              \
	X(MUSES_ELIMIT, -13, "a limit was reached")                                  \
	X(MUSES_EAGAIN, -14, "not now")                                              \
	X(MUSES_ETIMEOUT, -15, "timed out")                                          \
	X(MUSES_EUSAGE, -16, "used wrongly")

enum muses_err {
#define MUSES_ERR_ENUM(name, number, words) name = (number),
	MUSES_ERRORS(MUSES_ERR_ENUM)
#undef MUSES_ERR_ENUM
};

/* The words of err, for people; "unknown error" for a number not in the list,
 * "success" for 0.  The string is constant. */
const char *muses_strerror(int err);

#endif
