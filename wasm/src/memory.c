#include "memory.h"

#include <malloc.h>
#include <pyxnn.h>
#include <stdlib.h>
#include <string.h>

/* Kernels read in whole vectors, so up to XNN_EXTRA_BYTES past the end of a tensor must be readable. */
static const size_t alignment = 64;

static size_t used = 0;
static size_t peak = 0;

static void* count(void* address) {
  used += malloc_usable_size(address);
  if (used > peak) {
    peak = used;
  }
  return address;
}

void* pyxnn_allocate(size_t size) {
  if (size > SIZE_MAX - XNN_EXTRA_BYTES - alignment) {
    return NULL;
  }
  return count(memalign(alignment, size + XNN_EXTRA_BYTES));
}

void* pyxnn_allocate_zero(size_t size) {
  void* address = pyxnn_allocate(size);
  if (address != NULL) {
    memset(address, 0, size);
  }
  return address;
}

void pyxnn_release(void* address) {
  used -= malloc_usable_size(address);
  free(address);
}

size_t pyxnn_memory_used(void) {
  return used;
}

size_t pyxnn_memory_peak(uint32_t reset) {
  const size_t result = peak;
  if (reset != 0) {
    peak = used;
  }
  return result;
}

static void* xnn_allocate(void* context, size_t size) {
  (void)context;
  return count(malloc(size));
}

static void* xnn_reallocate(void* context, void* address, size_t size) {
  (void)context;
  const size_t before = malloc_usable_size(address);
  void* result = realloc(address, size);
  if (result == NULL) {
    return NULL;
  }
  used -= before;
  return count(result);
}

static void xnn_deallocate(void* context, void* address) {
  (void)context;
  pyxnn_release(address);
}

static void* xnn_aligned_allocate(void* context, size_t alignment_requested, size_t size) {
  (void)context;
  return count(memalign(alignment_requested, size));
}

const struct xnn_allocator pyxnn_xnn_allocator = {
    .allocate = xnn_allocate,
    .reallocate = xnn_reallocate,
    .deallocate = xnn_deallocate,
    .aligned_allocate = xnn_aligned_allocate,
    .aligned_deallocate = xnn_deallocate,
};
