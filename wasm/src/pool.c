/*
 * pthreadpool on workers that JavaScript starts.
 *
 * pthreadpool splits the items of a parallel call into one range a thread; a thread that has done its own range steals
 * from the others', item by item (portable-api.c). Here is what is left to do: bring threads to such a call, and get
 * them out of it again.
 *
 * Each worker has one word, its state, and everything is agreed upon by compare-and-swap of that word:
 *
 *     absent    nobody there yet. The worker makes it idle when it has started.
 *     idle      waiting for an offer, spinning. The worker makes it asleep when that takes long; the caller, offered.
 *     asleep    waiting for an offer on memory.atomic.wait. The caller makes it offered, and wakes the worker.
 *     offered   there is a call to join. The worker makes it working; the caller, when the call is over first, idle.
 *     working   the worker does items of the call, until there are none left. The worker makes it idle when it is done.
 *     awaited   the same, with the caller waiting for that on memory.atomic.wait.
 *     stopped   the worker is to leave its loop.
 *     lost      the worker has died, or is taken for dead. Like stopped, for good.
 *
 * The caller offers the call to the workers that are there, works itself until no item is left, withdraws the offers
 * that nobody took, and waits for those workers only that joined. So a worker that isn't up yet, sleeps soundly or died
 * costs nothing but its help.
 *
 * When a worker dies with work in hand, an item is left undone, and pyxnn_pool_end says so. A worker that traps reports
 * itself (worker.js). One that is killed can't: the caller gives it up after a while, see PATIENCE_NS.
 */
#include "pool.h"

#include <pyxnn.h>

#if PYXNN_THREADS

#include <stdlib.h>
#include <string.h>
#include <threadpool-atomics.h>
#include <threadpool-common.h>
#include <threadpool-object.h>
#include <time.h>

#include "sizes.h"

/* Enough for XNNPACK's micro-kernels and operator tasks, which keep small tiles on the stack at most. */
#define STACK_SIZE (256 * 1024)

/*
 * How long a thread spins before it sleeps. Waking a sleeper takes 25 to 50 us, often as long as a whole step, so within
 * a run spinning pays; unless both threads share a core (other programs are busy, or the system has just woken one
 * beside the other), when each spins away the time that the other needs. So each thread learns: a wait that ended while
 * it spun doubles its limit, one that didn't halves it.
 */
#define SPIN_START_NS UINT64_C(100000)
#define SPIN_LEAST_NS UINT64_C(10000)
#define SPIN_MOST_NS UINT64_C(1000000)

/*
 * How often a spinning thread looks at its word before it looks at the clock, a call out of WebAssembly, in which it
 * sees nothing: about a microsecond's looks.
 */
#define SPINS_PER_CLOCK 1000

/*
 * How long the caller waits for a worker's last item before it takes the worker for dead: this, plus several times what
 * the run took so far. (The caller has done items of the same step itself by then, so however slow the machine, a worker
 * alive is well inside.) Time counts in pieces of at most PATIENCE_TICK_NS, so that a computer that was put to sleep
 * doesn't kill its workers when it wakes up.
 */
#define PATIENCE_NS UINT64_C(5000000000)
#define PATIENCE_FACTOR 4
#define PATIENCE_TICK_NS UINT64_C(100000000)

enum worker_state {
  absent = 0,
  idle,
  asleep,
  offered,
  working,
  awaited,
  stopped,
  lost,
};

typedef _Atomic(uint32_t) word;

struct worker {
  _Alignas(PTHREADPOOL_CACHELINE_SIZE) word state;
  void* tls; /* thread-local storage; the stack follows it in the same allocation */
};

static struct {
  struct pthreadpool* _Atomic threadpool; /* NULL: one thread */
  uint32_t max_threads;
  bool may_block;
  word spin;       /* pyxnn_pool_begin's argument */
  word unreliable; /* a worker was lost with work in hand */

  /* The caller's own, on another cache line than what workers read at each call. */
  _Alignas(PTHREADPOOL_CACHELINE_SIZE) uint64_t began; /* when the run began */
  uint64_t spin_limit;
  uint32_t open; /* workers below this number may hold an offer, or have joined; 0: the gate is closed */
  bool replace;  /* a lost worker may still touch `threadpool`: the next run takes a new one */

  struct worker workers[PYXNN_POOL_MAX_THREADS]; /* number 0, the caller, is unused */
} pool = {.max_threads = 1, .spin_limit = SPIN_START_NS};

/* Tells JavaScript that the caller gave worker `index` up, so that it is terminated. */
__attribute__((import_module("env"), import_name("pyxnn_worker_gone"))) void pyxnn_worker_gone(uint32_t index);

/* Points the thread-local storage of this instance at `memory` and initialises it; made by the linker. */
void __wasm_init_tls(void* memory);

static uint32_t load(word* address) {
  return __c11_atomic_load(address, __ATOMIC_SEQ_CST);
}

static void store(word* address, uint32_t value) {
  __c11_atomic_store(address, value, __ATOMIC_SEQ_CST);
}

static uint32_t exchange(word* address, uint32_t value) {
  return __c11_atomic_exchange(address, value, __ATOMIC_SEQ_CST);
}

static bool change(word* address, uint32_t from, uint32_t to) {
  return __c11_atomic_compare_exchange_strong(address, &from, to, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

/* Sleeps while the word is `value`, `timeout` ns at most (negative: for ever); may return early. */
static void sleep_while(word* address, uint32_t value, int64_t timeout) {
  __builtin_wasm_memory_atomic_wait32((int*)address, (int)value, timeout);
}

static void wake(word* address) {
  __builtin_wasm_memory_atomic_notify((int*)address, 1);
}

static uint64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * UINT64_C(1000000000) + (uint64_t)time.tv_nsec;
}

/*
 * Joins a call that the word offers; returns the word. To try is to own its cache line: what is offered comes to a
 * worker that tries all the time in one way between cores, and to one that looks first in two.
 */
static uint32_t join(word* address) {
  uint32_t state = offered;
  return __c11_atomic_compare_exchange_strong(address, &state, working, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST) ? working
                                                                                                            : state;
}

/* Spins while `look` gives `value`, for about `limit` ns at most; returns what it gave. */
static inline __attribute__((always_inline)) uint32_t spin_while(uint32_t (*look)(word*), word* address, uint32_t value,
                                                                 uint64_t limit) {
  uint64_t start = 0;
  for (;;) {
    for (uint32_t i = 0; i < SPINS_PER_CLOCK; i++) {
      const uint32_t current = look(address);
      if (current != value) {
        return current;
      }
    }
    const uint64_t time = now();
    if (start == 0) {
      start = time;
    } else if (time - start >= limit) {
      return value;
    }
  }
}

/* Spins while `look` gives `value`, for as long as has paid so far; returns what it gave. */
static inline __attribute__((always_inline)) uint32_t spin_and_learn(uint32_t (*look)(word*), word* address,
                                                                     uint32_t value, uint64_t* limit) {
  const uint32_t current = spin_while(look, address, value, *limit);
  if (current != value) {
    *limit = *limit * 2 < SPIN_MOST_NS ? *limit * 2 : SPIN_MOST_NS;
  } else {
    *limit = *limit / 2 > SPIN_LEAST_NS ? *limit / 2 : SPIN_LEAST_NS;
  }
  return current;
}

/* The worker's side */

/* Waits for a call and joins it; returns the state: working, idle when the offer was withdrawn, stopped or lost. */
static uint32_t wait_for_offer(struct worker* self, uint64_t* spin_limit) {
  if (load(&pool.spin) != 0) {
    const uint32_t state = spin_and_learn(join, &self->state, idle, spin_limit);
    if (state != idle) {
      return state;
    }
  }
  change(&self->state, idle, asleep);
  uint32_t state;
  while ((state = join(&self->state)) == asleep) {
    sleep_while(&self->state, asleep, -1);
  }
  return state;
}

/* Reports that the worker's part is done; false when it is not wanted any more. */
static bool finish(struct worker* self) {
  if (change(&self->state, working, idle)) {
    return true;
  }
  if (change(&self->state, awaited, idle)) {
    wake(&self->state);
    return true;
  }
  return false;
}

void pyxnn_pool_worker_run(uint32_t index) {
  struct worker* self = &pool.workers[index];
  uint64_t spin_limit = SPIN_START_NS;
  for (;;) {
    const uint32_t state = wait_for_offer(self, &spin_limit);
    if (state == stopped || state == lost) {
      return;
    }
    if (state == working) {
      struct pthreadpool* threadpool = pool.threadpool;
      const thread_function_t thread_function =
          (thread_function_t)pthreadpool_load_relaxed_void_p(&threadpool->thread_function);
      thread_function(threadpool, &threadpool->threads[index]);
      if (!finish(self)) {
        return;
      }
    }
  }
}

/* A new instance's stack pointer is the caller's, so nothing in C may run before it has been set. */
__asm__(
    ".globaltype __stack_pointer, i32\n"
    ".functype pyxnn_pool_worker_announce (i32) -> ()\n"
    ".section .text.pyxnn_pool_worker_start,\"\",@\n"
    ".globl pyxnn_pool_worker_start\n"
    ".type pyxnn_pool_worker_start,@function\n"
    ".export_name pyxnn_pool_worker_start, pyxnn_pool_worker_start\n"
    "pyxnn_pool_worker_start:\n"
    "  .functype pyxnn_pool_worker_start (i32, i32) -> ()\n"
    "  local.get 1\n"
    "  global.set __stack_pointer\n"
    "  local.get 0\n"
    "  call pyxnn_pool_worker_announce\n"
    "  end_function\n");

/* The rest of pyxnn_pool_worker_start. */
void pyxnn_pool_worker_announce(uint32_t index);
void pyxnn_pool_worker_announce(uint32_t index) {
  struct worker* self = &pool.workers[index];
  __wasm_init_tls(self->tls);
  change(&self->state, absent, idle);
}

/* The caller's side */

/* Offers the call to worker `index`; false when it isn't there. */
static bool offer(struct worker* worker) {
  if (change(&worker->state, idle, offered)) {
    return true;
  }
  if (change(&worker->state, asleep, offered)) {
    wake(&worker->state);
    return true;
  }
  return false;
}

/* Offers the call to `count` workers of those below `threads_count`, or as many as there are. */
static void open_gate(size_t threads_count, size_t count) {
  for (uint32_t i = 1; i < threads_count && count != 0; i++) {
    pool.open = i + 1;
    count -= offer(&pool.workers[i]);
  }
}

/* Gives up a worker that holds work and doesn't come back. */
static void give_up(uint32_t index) {
  struct worker* worker = &pool.workers[index];
  if (change(&worker->state, working, lost) || change(&worker->state, awaited, lost)) {
    store(&pool.unreliable, 1);
    pyxnn_worker_gone(index);
  }
}

/* Waits until worker `index` has finished its part of the call, or is lost. */
static void wait_for_worker(uint32_t index) {
  struct worker* worker = &pool.workers[index];
  uint32_t state = load(&worker->state);
  if (state != working) {
    return;
  }
  if (!pool.may_block || load(&pool.spin) != 0) {
    state = spin_and_learn(load, &worker->state, working, &pool.spin_limit);
    if (state != working) {
      return;
    }
  }
  uint64_t last = now();
  uint64_t patience = PATIENCE_NS + PATIENCE_FACTOR * (last - pool.began);
  do {
    if (pool.may_block) {
      change(&worker->state, working, awaited);
      sleep_while(&worker->state, awaited, PATIENCE_TICK_NS);
      state = load(&worker->state);
    } else {
      state = spin_while(load, &worker->state, working, SPIN_MOST_NS);
    }
    const uint64_t time = now();
    const uint64_t waited = time - last < PATIENCE_TICK_NS ? time - last : PATIENCE_TICK_NS;
    last = time;
    if (waited >= patience) {
      give_up(index);
      return;
    }
    patience -= waited;
  } while (state == working || state == awaited);
}

/* Withdraws the offers that nobody took and waits for the workers that took theirs. */
static void close_gate(void) {
  for (uint32_t i = 1; i < pool.open; i++) {
    change(&pool.workers[i].state, offered, idle);
  }
  for (uint32_t i = 1; i < pool.open; i++) {
    wait_for_worker(i);
  }
  pool.open = 0;
}

/* Ends a call that the caller trapped in: workers may still be at it. */
static void abandon(void) {
  pool.began = now();
  for (uint32_t i = 0; i < pool.max_threads; i++) {
    pthreadpool_store_relaxed_size_t(&pool.threadpool->threads[i].range_length, 0);
  }
  close_gate();
}

PTHREADPOOL_INTERNAL void pthreadpool_parallelize(struct pthreadpool* threadpool, thread_function_t thread_function,
                                                  const void* params, size_t params_size, void* task, void* context,
                                                  size_t linear_range, uint32_t flags) {
  pthreadpool_store_relaxed_void_p(&threadpool->thread_function, (void*)thread_function);
  pthreadpool_store_relaxed_void_p(&threadpool->task, task);
  pthreadpool_store_relaxed_void_p(&threadpool->argument, context);
  pthreadpool_store_relaxed_uint32_t(&threadpool->flags, flags);
  if (params_size != 0) {
    memcpy(&threadpool->params, params, params_size);
  }

  const struct fxdiv_divisor_size_t threads_count = threadpool->threads_count;
  const struct fxdiv_result_size_t share = fxdiv_divide_size_t(linear_range, threads_count);
  size_t start = 0;
  for (size_t i = 0; i < threads_count.value; i++) {
    struct thread_info* thread = &threadpool->threads[i];
    const size_t length = share.quotient + (i < share.remainder);
    pthreadpool_store_relaxed_size_t(&thread->range_start, start);
    pthreadpool_store_relaxed_size_t(&thread->range_end, start + length);
    pthreadpool_store_relaxed_size_t(&thread->range_length, length);
    start += length;
  }

  open_gate(threads_count.value, linear_range - 1);
  thread_function(threadpool, &threadpool->threads[0]);
  close_gate();
}

/* Allocates pthreadpool's object for all threads; NULL when out of memory. */
static struct pthreadpool* allocate_threadpool(uint32_t max_threads) {
  const size_t size = sizeof(struct pthreadpool) + max_threads * sizeof(struct thread_info);
  struct pthreadpool* threadpool = aligned_alloc(PTHREADPOOL_CACHELINE_SIZE, size);
  if (threadpool != NULL) {
    memset(threadpool, 0, size);
    for (uint32_t i = 0; i < max_threads; i++) {
      threadpool->threads[i].thread_number = i;
      threadpool->threads[i].threadpool = threadpool;
    }
  }
  return threadpool;
}

enum pyxnn_status pyxnn_pool_create(uint32_t max_threads, uint32_t may_block) {
  if (max_threads < 1 || max_threads > PYXNN_POOL_MAX_THREADS || pool.threadpool != NULL) {
    return pyxnn_invalid_argument;
  }
  pool.may_block = may_block != 0;
  if (max_threads > 1) {
    pool.threadpool = allocate_threadpool(max_threads);
    if (pool.threadpool == NULL) {
      return pyxnn_out_of_memory;
    }
    pool.max_threads = max_threads;
  }
  return pyxnn_ok;
}

void* pyxnn_pool_worker_prepare(uint32_t index) {
  if (index < 1 || index >= pool.max_threads || pool.workers[index].tls != NULL) {
    return NULL;
  }
  const size_t alignment = PTHREADPOOL_CACHELINE_SIZE;
  const size_t tls_size = rounded_up(__builtin_wasm_tls_size(), alignment);
  char* block = aligned_alloc(alignment, tls_size + STACK_SIZE);
  if (block == NULL) {
    return NULL;
  }
  pool.workers[index].tls = block;
  return block + tls_size + STACK_SIZE;
}

void pyxnn_pool_worker_lost(uint32_t index) {
  if (index < 1 || index >= pool.max_threads) {
    return;
  }
  word* state = &pool.workers[index].state;
  const uint32_t before = exchange(state, lost);
  if (before == working || before == awaited) {
    store(&pool.unreliable, 1);
    wake(state);
  }
}

uint32_t pyxnn_pool_threads_ready(void) {
  uint32_t count = 1;
  for (uint32_t i = 1; i < pool.max_threads; i++) {
    const uint32_t state = load(&pool.workers[i].state);
    count += state >= idle && state <= awaited;
  }
  return count;
}

void pyxnn_pool_stop(void) {
  for (uint32_t i = 1; i < pool.max_threads; i++) {
    word* state = &pool.workers[i].state;
    if (exchange(state, stopped) == asleep) {
      wake(state);
    }
  }
}

pthreadpool_t pyxnn_pool_begin(uint32_t num_threads, uint32_t spin) {
  if (pool.open != 0) {
    abandon();
  }
  if (pool.replace || load(&pool.unreliable) != 0) {
    /* The old object stays, as a lost worker that is alive after all may still steal from its ranges. */
    struct pthreadpool* threadpool = allocate_threadpool(pool.max_threads);
    pool.replace = threadpool == NULL;
    store(&pool.unreliable, 0);
    if (threadpool == NULL) {
      return NULL;
    }
    pool.threadpool = threadpool;
  }
  if (num_threads > pool.max_threads) {
    num_threads = pool.max_threads;
  }
  if (num_threads <= 1) {
    return NULL;
  }
  pool.began = now();
  store(&pool.spin, spin);
  struct pthreadpool* threadpool = pool.threadpool;
  if (threadpool->threads_count.value != num_threads) {
    threadpool->threads_count = fxdiv_init_size_t(num_threads);
  }
  return threadpool;
}

bool pyxnn_pool_end(void) {
  return load(&pool.unreliable) == 0;
}

#else /* one thread: there is no pool, and pthreadpool's functions, given NULL, never call pthreadpool_parallelize */

enum pyxnn_status pyxnn_pool_create(uint32_t max_threads, uint32_t may_block) {
  (void)may_block;
  return max_threads == 1 ? pyxnn_ok : pyxnn_invalid_argument;
}

void* pyxnn_pool_worker_prepare(uint32_t index) {
  (void)index;
  return NULL;
}

void pyxnn_pool_worker_start(uint32_t index, void* stack_top) {
  (void)index;
  (void)stack_top;
}

void pyxnn_pool_worker_run(uint32_t index) {
  (void)index;
}

void pyxnn_pool_worker_lost(uint32_t index) {
  (void)index;
}

uint32_t pyxnn_pool_threads_ready(void) {
  return 1;
}

void pyxnn_pool_stop(void) {}

pthreadpool_t pyxnn_pool_begin(uint32_t num_threads, uint32_t spin) {
  (void)num_threads;
  (void)spin;
  return NULL;
}

bool pyxnn_pool_end(void) {
  return true;
}

void pthreadpool_parallelize(void);
void pthreadpool_parallelize(void) {
  __builtin_trap();
}

#endif
