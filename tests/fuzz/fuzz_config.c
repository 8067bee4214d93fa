/* Configurations of generators and, with a first byte of 't', tokenizers: what is accepted has a text
 * form that says the same. */
#include "generator/generator.h"
#include "tests/fuzz/fuzz.h"
#include "tokenizer/tokenizer.h"

#include <string.h>

static void try_generator(const char *text)
{
    poet_generator_config config, again;
    char first[512], second[512];
    if (poet_generator_config_parse(text, &config) != POET_OK)
        return;
    poet_generator_config_text(&config, first);
    FUZZ_CHECK(poet_generator_config_parse(first, &again) == POET_OK);
    poet_generator_config_text(&again, second);
    FUZZ_CHECK(strcmp(first, second) == 0);
}

static void try_tokenizer(const char *text)
{
    poet_tokenizer_config config, again;
    char first[512], second[512];
    if (poet_tokenizer_config_parse(text, &config) != POET_OK)
        return;
    poet_tokenizer_config_text(&config, first);
    FUZZ_CHECK(poet_tokenizer_config_parse(first, &again) == POET_OK);
    poet_tokenizer_config_text(&again, second);
    FUZZ_CHECK(strcmp(first, second) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    memcpy(text, data, size);
    text[size] = 0;
    if (*text == 't')
        try_tokenizer(text + 1);
    else
        try_generator(text);
    free(text);
    return 0;
}
