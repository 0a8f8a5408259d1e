/*
 * The worker pool, as plan.c sees it: pthreadpool's object, and the bracket around the steps of a run.
 *
 *     pthreadpool_t threadpool = pyxnn_pool_begin(num_threads, spin);
 *     ... xnn_run_operator(op, threadpool) for each step ...
 *     if (!pyxnn_pool_end()) { the results can't be trusted: a worker died while it held work }
 *
 * One caller at a time, thread 0, always the same instance. Workers are started by JavaScript (pyxnn.h) whenever the
 * browser gets round to it; a run takes those that are there.
 */
#ifndef PYXNN_POOL_H
#define PYXNN_POOL_H

#include <pthreadpool.h>
#include <stdbool.h>
#include <stdint.h>

/* The most threads a pool can have, the caller among them. */
#define PYXNN_POOL_MAX_THREADS 64

/*
 * Sets who takes part in the steps that follow, and returns at once. Also for reshaping, where XNNPACK asks the pool
 * for its number of threads; begin and end may be called as often as wanted, but not nested.
 * @param num_threads  at most this many threads, the caller among them; more than the pool's maximum are cut down to it.
 *                     Workers beyond it are left asleep.
 * @param spin         zero: threads that wait sleep at once, where they are allowed to; else they spin a while first
 * @return the pool with that number of threads (pthreadpool_get_threads_count), or NULL for one thread; valid until
 *         pyxnn_pool_end.
 */
pthreadpool_t pyxnn_pool_begin(uint32_t num_threads, uint32_t spin);

/*
 * Ends the steps: workers go back to sleep soon.
 * @return false when a worker was lost since pyxnn_pool_begin while it may have held work, so that what was computed
 *         can't be trusted. That worker takes no part in later runs, so the same run again is sound.
 */
bool pyxnn_pool_end(void);

#endif /* PYXNN_POOL_H */
