// Stands in for ankerl/unordered_dense.h, which Debian 12 does not have: the standard containers do all that mediasoup asks
// of these, and keep references valid for longer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <type_traits>
#include <unordered_map>
#include <unordered_set>

namespace ankerl::unordered_dense
{
	template<typename Key, typename = void>
	struct hash
	{
		std::size_t operator()(const Key& key) const noexcept(noexcept(std::hash<Key>{}(key)))
		{
			return std::hash<Key>{}(key);
		}
	};

	// The standard hash of a number is the number, and addresses and ports are anything but spread: MurmurHash3's last step.
	template<typename Key>
	struct hash<Key, std::enable_if_t<std::is_integral_v<Key> || std::is_enum_v<Key>>>
	{
		std::size_t operator()(Key key) const noexcept
		{
			auto bits = static_cast<std::uint64_t>(key);
			bits ^= bits >> 33;
			bits *= 0xff51afd7ed558ccdULL;
			bits ^= bits >> 33;
			bits *= 0xc4ceb9fe1a85ec53ULL;
			bits ^= bits >> 33;

			return static_cast<std::size_t>(bits);
		}
	};

	template<typename Key, typename Value, typename Hash = hash<Key>, typename Equal = std::equal_to<Key>>
	using map = std::unordered_map<Key, Value, Hash, Equal>;

	template<typename Key, typename Hash = hash<Key>, typename Equal = std::equal_to<Key>>
	using set = std::unordered_set<Key, Hash, Equal>;
} // namespace ankerl::unordered_dense
