/* Micro-kernels of our own for XNNPACK's operators. */
#ifndef PYXNN_KERNELS_MICRO_H
#define PYXNN_KERNELS_MICRO_H

/*
 * Puts them in the places of XNNPACK's in its configurations, from which operators take them as they are created:
 * - the product of one row of floats with packed weights, whose two sums of eight columns wait for themselves there;
 * - a factor and an addend by channel, in longer loops and for several threads in longer tasks.
 * XNNPACK must have been initialized.
 */
void micro_install(void);

#endif
