/* The street set in two files: what it shows and says (synth_street.c), and how it is painted
 * (street_paint.c). */
#ifndef POET_DATASETS_STREET_INTERNAL_H
#define POET_DATASETS_STREET_INTERNAL_H

#include "datasets/synth_internal.h"

enum { POET_CAR, POET_VAN, POET_TRUCK, POET_BUS, POET_MOTORCYCLE, POET_VEHICLES };

enum { POET_TO_LEFT, POET_TO_RIGHT };

enum { POET_NO_SIGNAL, POET_SIGNAL_GREEN, POET_SIGNAL_RED, POET_SIGNAL_TURNS };

enum { POET_DAY, POET_NIGHT };

enum { POET_CLEAR, POET_RAIN, POET_SNOW };

enum { POET_NOBODY, POET_WALKS_LEFT, POET_WALKS_RIGHT };

enum { POET_CAMERA_STILL, POET_CAMERA_LEFT, POET_CAMERA_RIGHT };

enum { POET_STREET_COLOURS = 6 };

/* Objects of a scene. */
enum { POET_STREET_MAIN, POET_STREET_WALKER };

/* Length of a vehicle in units, by kind. */
extern const float poet_street_length[POET_VEHICLES];

poet_status poet_street_paint(const poet_synth_scene *scene, poet_clip *clip);

#endif
