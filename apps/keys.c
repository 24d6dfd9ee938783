/* SPDX-License-Identifier: Apache-2.0 */
/* muses genkey, pubkey, genpsk: what is secret goes through stdin and stdout, so
 * that nobody needs a temporary file. */
#include "apps/app.h"
#include "apps/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <muses/err.h>
#include <muses/identity.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Somebody wrote `muses genkey > file` with a generous umask. */
static void warn_of_mode(const struct app *app)
{
	struct stat st;

	if (fstat(STDOUT_FILENO, &st) == 0 && S_ISREG(st.st_mode) &&
	    (st.st_mode & (S_IRWXG | S_IRWXO)) != 0)
		app_fail(app, 0,
		         "warning: others can read the file this goes to, and a node "
		         "will refuse "
		         "it; want chmod 600");
}

static bool no_arguments(struct app *app, int argc, char **argv, int *code)
{
	static const struct option options[] = { APP_OPTIONS, { NULL, 0, NULL, 0 } };
	int option;

	while ((option = getopt_long(argc, argv, APP_LETTERS, options, NULL)) != -1)
		if (!app_option(app, option, code))
			return false;
	if (optind == argc)
		return true;
	*code = app_usage(app, "want no arguments");
	return false;
}

/* Unbuffered: stdio would leave a copy behind. */
static int write_secret(const struct app *app, const char *text)
{
	size_t size = strlen(text), done = 0;

	while (done < size) {
		ssize_t put = write(STDOUT_FILENO, text + done, size - done);

		if (put < 0 && errno != EINTR)
			return app_fail(app, APP_FAILED, "cannot write: %s",
			                strerror(errno));
		done += put > 0 ? (size_t)put : 0;
	}
	return APP_OK;
}

int secret_identity(char text[static MUSES_IDENTITY_TEXT_MAX])
{
	uint8_t seed[32];
	int err = RAND_priv_bytes(seed, sizeof(seed)) == 1
	                  ? muses_identity_text(seed, text)
	                  : MUSES_ECRYPTO;

	OPENSSL_cleanse(seed, sizeof(seed));
	return err;
}

int app_genkey(struct app *app, int argc, char **argv)
{
	char text[MUSES_IDENTITY_TEXT_MAX];
	int code;

	if (!no_arguments(app, argc, argv, &code))
		return code;
	warn_of_mode(app);
	if (secret_identity(text) != 0)
		return app_fail(app, APP_FAILED, "cannot make a key: no randomness");
	code = write_secret(app, text);
	OPENSSL_cleanse(text, sizeof(text));
	return code;
}

int app_genpsk(struct app *app, int argc, char **argv)
{
	unsigned char secret[32];
	char text[46];
	int code;

	if (!no_arguments(app, argc, argv, &code))
		return code;
	warn_of_mode(app);
	if (RAND_priv_bytes(secret, sizeof(secret)) != 1)
		return app_fail(app, APP_FAILED, "cannot make a secret: no randomness");
	EVP_EncodeBlock((unsigned char *)text, secret, sizeof(secret));
	strcat(text, "\n");
	code = write_secret(app, text);
	OPENSSL_cleanse(secret, sizeof(secret));
	OPENSSL_cleanse(text, sizeof(text));
	return code;
}

/* ---- pubkey --------------------------------------------------------------- */

int secret_public(const char *identity, size_t size, uint8_t public_key[static 32],
                  char *why, size_t why_size)
{
	EVP_PKEY *key = NULL;
	size_t key_size = 32;
	uint8_t seed[32];
	int err = muses_identity_parse(identity, size, seed, why, why_size);

	if (err == 0)
		key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed,
		                                   sizeof(seed));
	OPENSSL_cleanse(seed, sizeof(seed));
	if (err == 0 && (key == NULL ||
	                 EVP_PKEY_get_raw_public_key(key, public_key, &key_size) != 1)) {
		err = MUSES_ECRYPTO;
		snprintf(why, why_size, "%s", muses_strerror(err));
	}
	EVP_PKEY_free(key);
	return err;
}

/* "keys/bob.key" -> "bob" */
static void name_from(const char *path, char *name, size_t size)
{
	const char *slash = strrchr(path, '/');
	const char *base = slash != NULL ? slash + 1 : path;
	const char *dot = strrchr(base, '.');

	snprintf(name, size, "%.*s",
	         (int)(dot > base ? (size_t)(dot - base) : strlen(base)), base);
}

int app_pubkey(struct app *app, int argc, char **argv)
{
	static const struct option options[] = { APP_OPTIONS, { NULL, 0, NULL, 0 } };
	char text[4096], line[MUSES_PEER_TEXT_MAX], name[256], why[256];
	uint8_t public_key[32];
	size_t size = 0;
	ssize_t got;
	int option, code, fd, err;

	while ((option = getopt_long(argc, argv, APP_LETTERS, options, NULL)) != -1)
		if (!app_option(app, option, &code))
			return code;
	if (argc - optind < 1 || argc - optind > 2)
		return app_usage(app, "want FILE, and perhaps NAME");
	if (argc - optind == 2)
		snprintf(name, sizeof(name), "%s", argv[optind + 1]);
	else
		name_from(argv[optind], name, sizeof(name));
	if (!muses_name_valid(name))
		return app_usage(
			app,
			"\"%s\" is not a name: want letters, digits and . _ - and at "
			"most %d of them",
			name, MUSES_NAME_MAX);
	fd = strcmp(argv[optind], "-") == 0 ? STDIN_FILENO
	                                    : open(argv[optind], O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && size < sizeof(text) &&
	       (got = read(fd, text + size, sizeof(text) - size)) > 0)
		size += (size_t)got;
	if (fd < 0)
		return app_fail(app, APP_FAILED, "%s: %s", argv[optind], strerror(errno));
	err = secret_public(text, size, public_key, why, sizeof(why));
	OPENSSL_cleanse(text, sizeof(text));
	if (err != 0)
		return app_fail(app, APP_FAILED, "%s: %s", argv[optind], why);
	muses_peer_text(name, public_key, line);
	fputs(line, stdout);
	return APP_OK;
}
