/*
 * The program that tests/browser/test_pool.py runs in a browser: pthreadpool's functions on the worker pool, checked
 * against a plain loop, and runs in which workers misbehave. web/loader.js takes it for an engine.
 */
#include "pool.h"

#include <pyxnn.h>
#include <string.h>
#include <time.h>

enum { MAX_DIMS = 6, MAX_CELLS = 1 << 18 };
enum { DEFAULT_UARCH = 3, MAX_UARCH = 5 };

enum pyxnn_status pyxnn_initialize(void) {
  return pyxnn_ok;
}

const char* pyxnn_error_message(void) {
  return "no message";
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e3 + (double)time.tv_nsec * 1e-6;
}

static void busy(double milliseconds) {
  if (milliseconds > 0) {
    const double end = now() + milliseconds;
    while (now() < end) {
    }
  }
}

/* A parallel call under test: how often each cell of its ranges was visited, and what its items saw amiss. */
static struct {
  size_t ranges[MAX_DIMS];
  size_t tiles[MAX_DIMS]; /* 1 for dimensions without tiles */
  size_t dims;
  size_t threads;
  _Atomic(uint32_t) faults;
  _Atomic(uint32_t) visits[MAX_CELLS];
} call;

static void fault(void) {
  __c11_atomic_fetch_add(&call.faults, 1, __ATOMIC_RELAXED);
}

/* One item: `starts` has all dimensions, `sizes` those of the tiled ones, which come last. */
static void visit(void* context, size_t thread, uint32_t uarch, size_t dims, const size_t* starts, size_t tiled,
                  const size_t* sizes) {
  if (context != &call || dims != call.dims || thread >= call.threads || uarch != DEFAULT_UARCH) {
    fault();
    return;
  }
  size_t extents[MAX_DIMS];
  size_t count = 1;
  for (size_t i = 0; i < dims; i++) {
    extents[i] = i < dims - tiled ? 1 : sizes[i - (dims - tiled)];
    const size_t left = call.ranges[i] - starts[i];
    const size_t expected = left < call.tiles[i] ? left : call.tiles[i];
    if (starts[i] >= call.ranges[i] || starts[i] % call.tiles[i] != 0 || extents[i] != expected) {
      fault();
      return;
    }
    count *= extents[i];
  }
  for (size_t n = 0; n < count; n++) {
    size_t rest = n;
    size_t cell = 0;
    size_t stride = 1;
    for (size_t i = dims; i-- != 0;) {
      cell += (starts[i] + rest % extents[i]) * stride;
      rest /= extents[i];
      stride *= call.ranges[i];
    }
    __c11_atomic_fetch_add(&call.visits[cell], 1, __ATOMIC_RELAXED);
  }
}

#define LIST(...) ((const size_t[]){__VA_ARGS__})
#define ANY DEFAULT_UARCH

/* A task of `name`, and its call with ranges `r` and tiles `t`. */
#define ENTRY(name, task_parameters, thread, uarch, dims, starts, tiled, sizes, ...) \
  static void task_##name task_parameters {                                          \
    visit(context, thread, uarch, dims, starts, tiled, sizes);                       \
  }                                                                                  \
  static void call_##name(pthreadpool_t pool, const size_t* r, const size_t* t) {    \
    (void)t;                                                                         \
    pthreadpool_parallelize_##name(pool, task_##name, &call, __VA_ARGS__, 0);        \
  }

#define UARCH DEFAULT_UARCH, MAX_UARCH
#define R2 r[0], r[1]
#define R3 R2, r[2]
#define R4 R3, r[3]
#define R5 R4, r[4]
#define R6 R5, r[5]

ENTRY(1d, (void* context, size_t i), 0, ANY, 1, LIST(i), 0, NULL, r[0])
ENTRY(1d_with_thread, (void* context, size_t thread, size_t i), thread, ANY, 1, LIST(i), 0, NULL, r[0])
ENTRY(1d_tile_1d, (void* context, size_t i, size_t ti), 0, ANY, 1, LIST(i), 1, LIST(ti), r[0], t[0])
ENTRY(2d, (void* context, size_t i, size_t j), 0, ANY, 2, LIST(i, j), 0, NULL, R2)
ENTRY(2d_with_thread, (void* context, size_t thread, size_t i, size_t j), thread, ANY, 2, LIST(i, j), 0, NULL, R2)
ENTRY(2d_tile_1d, (void* context, size_t i, size_t j, size_t tj), 0, ANY, 2, LIST(i, j), 1, LIST(tj), R2, t[0])
ENTRY(2d_tile_1d_with_uarch, (void* context, uint32_t uarch, size_t i, size_t j, size_t tj), 0, uarch, 2, LIST(i, j), 1,
      LIST(tj), UARCH, R2, t[0])
ENTRY(2d_tile_2d, (void* context, size_t i, size_t j, size_t ti, size_t tj), 0, ANY, 2, LIST(i, j), 2, LIST(ti, tj), R2,
      t[0], t[1])
ENTRY(2d_tile_2d_with_uarch, (void* context, uint32_t uarch, size_t i, size_t j, size_t ti, size_t tj), 0, uarch, 2,
      LIST(i, j), 2, LIST(ti, tj), UARCH, R2, t[0], t[1])
ENTRY(3d, (void* context, size_t i, size_t j, size_t k), 0, ANY, 3, LIST(i, j, k), 0, NULL, R3)
ENTRY(3d_tile_1d, (void* context, size_t i, size_t j, size_t k, size_t tk), 0, ANY, 3, LIST(i, j, k), 1, LIST(tk), R3,
      t[0])
ENTRY(3d_tile_1d_with_thread, (void* context, size_t thread, size_t i, size_t j, size_t k, size_t tk), thread, ANY, 3,
      LIST(i, j, k), 1, LIST(tk), R3, t[0])
ENTRY(3d_tile_1d_with_uarch, (void* context, uint32_t uarch, size_t i, size_t j, size_t k, size_t tk), 0, uarch, 3,
      LIST(i, j, k), 1, LIST(tk), UARCH, R3, t[0])
ENTRY(3d_tile_1d_with_uarch_with_thread,
      (void* context, uint32_t uarch, size_t thread, size_t i, size_t j, size_t k, size_t tk), thread, uarch, 3,
      LIST(i, j, k), 1, LIST(tk), UARCH, R3, t[0])
ENTRY(3d_tile_2d, (void* context, size_t i, size_t j, size_t k, size_t tj, size_t tk), 0, ANY, 3, LIST(i, j, k), 2,
      LIST(tj, tk), R3, t[0], t[1])
ENTRY(3d_tile_2d_with_uarch, (void* context, uint32_t uarch, size_t i, size_t j, size_t k, size_t tj, size_t tk), 0,
      uarch, 3, LIST(i, j, k), 2, LIST(tj, tk), UARCH, R3, t[0], t[1])
ENTRY(4d, (void* context, size_t i, size_t j, size_t k, size_t l), 0, ANY, 4, LIST(i, j, k, l), 0, NULL, R4)
ENTRY(4d_tile_2d, (void* context, size_t i, size_t j, size_t k, size_t l, size_t tk, size_t tl), 0, ANY, 4,
      LIST(i, j, k, l), 2, LIST(tk, tl), R4, t[0], t[1])
ENTRY(4d_tile_2d_with_uarch,
      (void* context, uint32_t uarch, size_t i, size_t j, size_t k, size_t l, size_t tk, size_t tl), 0, uarch, 4,
      LIST(i, j, k, l), 2, LIST(tk, tl), UARCH, R4, t[0], t[1])
ENTRY(5d, (void* context, size_t i, size_t j, size_t k, size_t l, size_t m), 0, ANY, 5, LIST(i, j, k, l, m), 0, NULL,
      R5)
ENTRY(5d_tile_2d, (void* context, size_t i, size_t j, size_t k, size_t l, size_t m, size_t tl, size_t tm), 0, ANY, 5,
      LIST(i, j, k, l, m), 2, LIST(tl, tm), R5, t[0], t[1])
ENTRY(6d_tile_2d, (void* context, size_t i, size_t j, size_t k, size_t l, size_t m, size_t n, size_t tm, size_t tn), 0,
      ANY, 6, LIST(i, j, k, l, m, n), 2, LIST(tm, tn), R6, t[0], t[1])

#define ROW(name, dims, tiled) {#name, dims, tiled, call_##name}

static const struct {
  const char* name;
  uint32_t dims;
  uint32_t tiled;
  void (*run)(pthreadpool_t pool, const size_t* ranges, const size_t* tiles);
} entries[] = {
    ROW(1d, 1, 0),
    ROW(1d_with_thread, 1, 0),
    ROW(1d_tile_1d, 1, 1),
    ROW(2d, 2, 0),
    ROW(2d_with_thread, 2, 0),
    ROW(2d_tile_1d, 2, 1),
    ROW(2d_tile_1d_with_uarch, 2, 1),
    ROW(2d_tile_2d, 2, 2),
    ROW(2d_tile_2d_with_uarch, 2, 2),
    ROW(3d, 3, 0),
    ROW(3d_tile_1d, 3, 1),
    ROW(3d_tile_1d_with_thread, 3, 1),
    ROW(3d_tile_1d_with_uarch, 3, 1),
    ROW(3d_tile_1d_with_uarch_with_thread, 3, 1),
    ROW(3d_tile_2d, 3, 2),
    ROW(3d_tile_2d_with_uarch, 3, 2),
    ROW(4d, 4, 0),
    ROW(4d_tile_2d, 4, 2),
    ROW(4d_tile_2d_with_uarch, 4, 2),
    ROW(5d, 5, 0),
    ROW(5d_tile_2d, 5, 2),
    ROW(6d_tile_2d, 6, 2),
};

uint32_t PYXNN_EXPORT(test_num_entries)(void);
uint32_t test_num_entries(void) {
  return sizeof(entries) / sizeof(entries[0]);
}

const char* PYXNN_EXPORT(test_entry_name)(uint32_t entry);
const char* test_entry_name(uint32_t entry) {
  return entries[entry].name;
}

uint32_t PYXNN_EXPORT(test_entry_dims)(uint32_t entry);
uint32_t test_entry_dims(uint32_t entry) {
  return entries[entry].dims;
}

uint32_t PYXNN_EXPORT(test_entry_tiled)(uint32_t entry);
uint32_t test_entry_tiled(uint32_t entry) {
  return entries[entry].tiled;
}

/* Where the caller puts the ranges of test_entry, whose product is at most MAX_CELLS, and then its tiles. */
static uint32_t shape[2 * MAX_DIMS];

uint32_t* PYXNN_EXPORT(test_shape)(void);
uint32_t* test_shape(void) {
  return shape;
}

/*
 * Makes a call of an entry point.
 * @return how many cells were not visited exactly once, plus faults; or -1 when the pool lost a worker.
 */
int32_t PYXNN_EXPORT(test_entry)(uint32_t entry, uint32_t threads, uint32_t spin);
int32_t test_entry(uint32_t entry, uint32_t threads, uint32_t spin) {
  const uint32_t dims = entries[entry].dims;
  const uint32_t tiled = entries[entry].tiled;
  size_t tiles[MAX_DIMS];
  size_t count = 1;
  call.dims = dims;
  call.threads = threads;
  call.faults = 0;
  for (uint32_t i = 0; i < dims; i++) {
    call.ranges[i] = shape[i];
    call.tiles[i] = i < dims - tiled ? 1 : shape[dims + i - (dims - tiled)];
    count *= shape[i];
  }
  for (uint32_t i = 0; i < tiled; i++) {
    tiles[i] = shape[dims + i];
  }
  pthreadpool_t pool = pyxnn_pool_begin(threads, spin);
  memset(call.visits, 0, sizeof(call.visits[0]) * count);
  entries[entry].run(pool, call.ranges, tiles);
  if (!pyxnn_pool_end()) {
    return -1;
  }
  int32_t wrong = (int32_t)call.faults;
  for (size_t i = 0; i < count; i++) {
    wrong += call.visits[i] != 1;
  }
  return wrong;
}

/* Runs whose workers are late, slow or die */

enum behaviour {
  well = 0,
  trap = 1,         /* the first item that a worker takes traps */
  hang = 2,         /* the first item that a worker takes never ends, as when the browser kills the worker */
  caller_traps = 3, /* the first item that the caller takes traps */
};

static struct {
  uint32_t behaviour;
  double milliseconds;
  _Atomic(uint32_t) workers; /* bits of the threads that did items */
  _Atomic(uint32_t) visits[4096];
} work;

static void work_item(void* context, size_t thread, size_t i) {
  (void)context;
  __c11_atomic_fetch_or(&work.workers, UINT32_C(1) << thread, __ATOMIC_RELAXED);
  if (thread != 0 && work.behaviour == trap) {
    __builtin_trap();
  }
  if (thread == 0 && work.behaviour == caller_traps) {
    __builtin_trap();
  }
  while (thread != 0 && work.behaviour == hang) {
  }
  if (thread == 0 && (work.behaviour == trap || work.behaviour == hang)) {
    /* Leave the misbehaving worker time to take an item. */
    const double end = now() + 500;
    while (work.workers == 1 && now() < end) {
    }
  }
  busy(work.milliseconds);
  __c11_atomic_fetch_add(&work.visits[i], 1, __ATOMIC_RELAXED);
}

/* @return how many items were not done exactly once, or -1 when the pool lost a worker. */
int32_t PYXNN_EXPORT(test_work)(uint32_t items, double milliseconds, uint32_t threads, uint32_t spin,
                                uint32_t behaviour);
int32_t test_work(uint32_t items, double milliseconds, uint32_t threads, uint32_t spin, uint32_t behaviour) {
  pthreadpool_t pool = pyxnn_pool_begin(threads, spin);
  work.behaviour = behaviour;
  work.milliseconds = milliseconds;
  work.workers = 0;
  memset(work.visits, 0, sizeof(work.visits));
  pthreadpool_parallelize_1d_with_thread(pool, work_item, NULL, items, 0);
  if (!pyxnn_pool_end()) {
    return -1;
  }
  int32_t wrong = 0;
  for (uint32_t i = 0; i < items; i++) {
    wrong += work.visits[i] != 1;
  }
  return wrong;
}

/* The bits of the threads that did items in the last test_work. */
uint32_t PYXNN_EXPORT(test_work_threads)(void);
uint32_t test_work_threads(void) {
  return work.workers;
}
