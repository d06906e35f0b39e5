// Keeps the DTLS handshake alive on an OpenSSL that was built with kernel TLS, as Debian's is.
//
// mediasoup watches its BIO by a callback that answers 1 to every control question. OpenSSL with kernel TLS asks the BIO
// whether the kernel encrypts, hears yes, allocates no buffer to write into, and the handshake ends on a null pointer.
// Here those two questions are answered with no before the callback hears of them.
//
// Included by force in front of mediasoup's DtlsTransport.cpp alone.
#pragma once

#include <openssl/bio.h>

namespace bio_without_ktls
{
	// One for all BIOs of a thread: mediasoup installs one and the same function everywhere.
	inline thread_local BIO_callback_fn_ex watcher{ nullptr };

	inline long Watch(
	  BIO* bio, int operation, const char* argument, size_t length, int command, long number, int result, size_t* processed)
	{
		const bool asksForKernelTls = command == BIO_CTRL_GET_KTLS_SEND || command == BIO_CTRL_GET_KTLS_RECV;

		if (operation == (BIO_CB_CTRL | BIO_CB_RETURN) && asksForKernelTls)
		{
			return 0;
		}

		return watcher(bio, operation, argument, length, command, number, result, processed);
	}

	inline void SetCallback(BIO* bio, BIO_callback_fn_ex callback)
	{
		watcher = callback;
		BIO_set_callback_ex(bio, Watch);
	}
} // namespace bio_without_ktls

#define BIO_set_callback_ex(bio, callback) bio_without_ktls::SetCallback((bio), (callback))
