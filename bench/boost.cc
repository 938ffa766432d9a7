// SPDX-License-Identifier: MIT
// Boost.Interprocess as a peer of bench/alloc: a segment of anonymous shared
// memory with its usual allocator, a best-fit tree under a process-shared
// mutex.
#include <boost/interprocess/anonymous_shared_memory.hpp>
#include <boost/interprocess/managed_external_buffer.hpp>
#include <boost/interprocess/mapped_region.hpp>

#include "peer.h"

namespace ip = boost::interprocess;

using segment = ip::basic_managed_external_buffer<
	char, ip::rbtree_best_fit<ip::mutex_family>, ip::iset_index>;

static segment *heap;

static void *
boost_alloc(size_t bytes)
{
	return heap->allocate(bytes);
}

static void
boost_free(void *p)
{
	heap->deallocate(p);
}

extern "C" const peer *
boost_peer()
{
	static ip::mapped_region region(ip::anonymous_shared_memory(64 << 20));
	static segment made(ip::create_only, region.get_address(),
			    region.get_size());
	static const peer it = {"boost", boost_alloc, boost_free};

	heap = &made;
	return &it;
}
