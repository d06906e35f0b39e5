// The part of libsrtp 3 that mediasoup calls, on top of libsrtp 2, which is what Debian 12 has.
//
// Between the two the policy became opaque, and packets go from one buffer into another instead of being changed in place.
#pragma once

#include <srtp2/srtp.h>

#include <cstdint>
#include <cstring>
#include <new>

// Errors that libsrtp 2 does not know; its own end below these.
static constexpr auto srtp_err_status_buffer_small = static_cast<srtp_err_status_t>(28);
static constexpr auto srtp_err_status_cryptex_err  = static_cast<srtp_err_status_t>(29);

namespace srtp_3_by_2
{
	struct Policy
	{
		srtp_policy_t inner;
		unsigned char key[SRTP_MAX_KEY_LEN];
	};

	using InPlace = srtp_err_status_t (*)(srtp_t, void*, int*);

	// `growth` is what the operation may add to the packet at most.
	inline srtp_err_status_t Run(
	  InPlace operation,
	  srtp_t session,
	  const std::uint8_t* in,
	  std::size_t inLength,
	  std::uint8_t* out,
	  std::size_t* outLength,
	  std::size_t growth)
	{
		if (inLength + growth > *outLength)
		{
			return srtp_err_status_buffer_small;
		}

		if (in != out)
		{
			std::memmove(out, in, inLength);
		}

		int length       = static_cast<int>(inLength);
		const auto error = operation(session, out, &length);

		if (error == srtp_err_status_ok)
		{
			*outLength = static_cast<std::size_t>(length);
		}

		return error;
	}
} // namespace srtp_3_by_2

inline srtp_err_status_t srtp_policy_create(srtp_3_by_2::Policy** policy)
{
	*policy = new (std::nothrow) srtp_3_by_2::Policy{};

	return *policy ? srtp_err_status_ok : srtp_err_status_alloc_fail;
}

inline void srtp_policy_destroy(srtp_3_by_2::Policy* policy)
{
	if (!policy)
	{
		return;
	}

	// A compiler may leave out the wiping of memory that nobody reads again, but not that of volatile memory.
	volatile unsigned char* key = policy->key;
	for (std::size_t at = 0; at < sizeof(policy->key); ++at)
	{
		key[at] = 0;
	}

	delete policy;
}

inline srtp_err_status_t srtp_policy_set_ssrc(srtp_3_by_2::Policy* policy, srtp_ssrc_t ssrc)
{
	policy->inner.ssrc = ssrc;

	return srtp_err_status_ok;
}

inline srtp_err_status_t srtp_policy_set_profile(srtp_3_by_2::Policy* policy, srtp_profile_t profile)
{
	const auto error = srtp_crypto_policy_set_from_profile_for_rtp(&policy->inner.rtp, profile);

	return error == srtp_err_status_ok
	         ? srtp_crypto_policy_set_from_profile_for_rtcp(&policy->inner.rtcp, profile)
	         : error;
}

inline srtp_err_status_t srtp_policy_add_key(
  srtp_3_by_2::Policy* policy,
  const std::uint8_t* key,
  std::size_t keyLength,
  const std::uint8_t* salt,
  std::size_t saltLength,
  const std::uint8_t* /*mki*/,
  std::size_t mkiLength)
{
	if (mkiLength != 0 || keyLength + saltLength > sizeof(policy->key))
	{
		return srtp_err_status_bad_param;
	}

	std::memcpy(policy->key, key, keyLength);
	std::memcpy(policy->key + keyLength, salt, saltLength);
	policy->inner.key = policy->key;

	return srtp_err_status_ok;
}

inline srtp_err_status_t srtp_policy_set_allow_repeat_tx(srtp_3_by_2::Policy* policy, bool allow)
{
	policy->inner.allow_repeat_tx = allow ? 1 : 0;

	return srtp_err_status_ok;
}

inline srtp_err_status_t srtp_policy_set_window_size(srtp_3_by_2::Policy* policy, std::size_t size)
{
	policy->inner.window_size = size;

	return srtp_err_status_ok;
}

inline srtp_err_status_t srtp_create(srtp_t* session, srtp_3_by_2::Policy* policy)
{
	return srtp_create(session, static_cast<const srtp_policy_t*>(&policy->inner));
}

inline srtp_err_status_t srtp_stream_remove(srtp_t session, std::uint32_t ssrc)
{
	return srtp_remove_stream(session, ssrc);
}

inline srtp_err_status_t srtp_protect(
  srtp_t session,
  const std::uint8_t* in,
  std::size_t inLength,
  std::uint8_t* out,
  std::size_t* outLength,
  std::size_t /*mkiIndex*/)
{
	const srtp_3_by_2::InPlace protect = srtp_protect;

	return srtp_3_by_2::Run(protect, session, in, inLength, out, outLength, SRTP_MAX_TRAILER_LEN);
}

inline srtp_err_status_t srtp_protect_rtcp(
  srtp_t session,
  const std::uint8_t* in,
  std::size_t inLength,
  std::uint8_t* out,
  std::size_t* outLength,
  std::size_t /*mkiIndex*/)
{
	const srtp_3_by_2::InPlace protect = srtp_protect_rtcp;
	// RTCP carries its index too.
	constexpr std::size_t growth = SRTP_MAX_TRAILER_LEN + sizeof(std::uint32_t);

	return srtp_3_by_2::Run(protect, session, in, inLength, out, outLength, growth);
}

inline srtp_err_status_t srtp_unprotect(
  srtp_t session, const std::uint8_t* in, std::size_t inLength, std::uint8_t* out, std::size_t* outLength)
{
	const srtp_3_by_2::InPlace unprotect = srtp_unprotect;

	return srtp_3_by_2::Run(unprotect, session, in, inLength, out, outLength, 0);
}

inline srtp_err_status_t srtp_unprotect_rtcp(
  srtp_t session, const std::uint8_t* in, std::size_t inLength, std::uint8_t* out, std::size_t* outLength)
{
	const srtp_3_by_2::InPlace unprotect = srtp_unprotect_rtcp;

	return srtp_3_by_2::Run(unprotect, session, in, inLength, out, outLength, 0);
}

// In libsrtp 3 the name is that of a pointer.
using srtp_3_by_2_policy = srtp_3_by_2::Policy*;
#define srtp_policy_t srtp_3_by_2_policy
