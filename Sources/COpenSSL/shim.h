/* SPDX-License-Identifier: Apache-2.0 */
/* OpenSSL's TLS client, and the macros of it that Swift cannot import. */
#ifndef MZR_COPENSSL_SHIM_H
#define MZR_COPENSSL_SHIM_H

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

static inline int mzr_ssl_set_server_name(SSL *ssl, const char *name)
{
	return (int)SSL_set_tlsext_host_name(ssl, name);
}

static inline int mzr_ssl_require_tls12(SSL_CTX *context)
{
	return (int)SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
}

#endif /* MZR_COPENSSL_SHIM_H */
