#include "eval/recommend.h"

#include "generator/shrink_generator.h"

#include <math.h>

int poet_size_choose(const poet_codebook_size *curve, int n, double loss, double samples,
                     poet_size_reason *reason)
{
    int by_loss = 0, by_samples = n;
    for (int i = 0; i < n; i++)
        if (curve[i].loss <= loss)
            by_loss = i;
    for (int i = n - 1; i >= 0; i--)
        if (curve[i].samples >= samples)
            by_samples = i;
    *reason = by_samples == n        ? POET_SIZE_FEW
              : by_samples > by_loss ? POET_SIZE_SAMPLES
                                     : POET_SIZE_LOSS;
    return *reason == POET_SIZE_SAMPLES ? by_samples : by_loss;
}

double poet_vocabulary_law(double parameters, double width)
{
    const double exponent = 0.83, words = 6144, row = 512, smallest = 33e6;
    return words * row / width * pow(parameters / smallest, exponent);
}

double poet_parameters_beside_codes(poet_generator *generator)
{
    poet_params *params = poet_generator_params(generator);
    double sum = 0;
    for (int i = 0; i < poet_params_count(params); i++)
        if (poet_params_kind(params, i) == POET_PARAM &&
            !poet_generator_goes_by_code(poet_params_name(params, i)))
            sum += (double)poet_tensor_count(poet_params_tensor(params, i));
    return sum;
}
