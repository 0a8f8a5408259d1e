/* Floats of 8 bits and fewer, a byte each, by tables. */
#ifndef PYXNN_KERNELS_SMALL_FLOATS_H
#define PYXNN_KERNELS_SMALL_FLOATS_H

#include <stddef.h>
#include <stdint.h>

enum { small_floats = 256, float_halves = 65536 };

/*
 * @param from   `count` bytes
 * @param table  what each of `small_floats` bytes stands for
 * @param to     receives as many floats
 */
void small_floats_widen(const uint8_t* from, const float* table, float* to, size_t count);

/*
 * A type of 8 bits tells no two floats apart whose upper halves are one, if the last bit of these is set wherever the lower half
 * isn't 0: fractions of 7 bits leave enough of them below those that it rounds to.
 * @param from   `count` floats
 * @param table  what each of `float_halves` upper halves becomes
 * @param to     receives as many bytes
 */
void small_floats_narrow(const float* from, const uint8_t* table, uint8_t* to, size_t count);

#endif
