/* generator/bpe: learning, encoding, the text form, UTF-8, and what happens when memory runs out.
 */
#include "base/memory.h"
#include "base/rng.h"
#include "generator/bpe_internal.h"
#include "tests/support/check.h"

#include <ctype.h>
#include <stdlib.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const char *const scenes[] = {
    "a small red circle moves left quickly",
    "a large blue square moves right, slowly",
    "the digit 10 is moving left and right .",
    "a woman with curly brown hair walks to the left in the snow",
    "Ein kleiner roter Kreis bewegt sich über die Straße",
    "小さな赤い円が左に動く",
    "小さな青い円が右に動く",
};

static poet_bpe *trained(const char *const *captions, size_t n, int size, bool fold_case)
{
    poet_bpe *bpe = NULL;
    poet_bpe_options options = {.size = size, .fold_case = fold_case};
    CHECK_OK(poet_bpe_train(captions, n, &options, &bpe));
    return bpe;
}

static poet_bpe *trained_on_scenes(bool fold_case)
{
    return trained(scenes, COUNT(scenes), 400, fold_case);
}

/* A token's bytes; decoded behind another byte, because decoding drops a leading space. */
static void token_text(const poet_bpe *bpe, int id, char out[POET_BPE_PIECE_BYTES + 1])
{
    int32_t ids[] = {POET_BPE_FIRST_BYTE + '|', id};
    char *text;
    size_t bytes;
    CHECK_OK(poet_bpe_decode(bpe, ids, 2, &text, &bytes));
    memcpy(out, text + 1, bytes);
    poet_free(text);
}

/* The example of Sennrich et al., section 3.2, by hand: first e s and s t stand 9 times each, and
 * e s has the lower ids; and so on down to the pairs that stand twice. */
static void test_known_merges(void)
{
    static const char *const captions[] = {"low low low low low",  "lower lower",
                                           "newest newest newest", " Newest\tnewest newest",
                                           "widest widest",        "widest"};
    static const char *const merges[] = {"es",   "est",   " l",      "ow",      " low",
                                         " n",   "ew",    " new",    " newest", " w",
                                         "dest", "idest", " widest", "er",      " lower"};
    poet_bpe *bpe = trained(captions, COUNT(captions), 1000, true);
    CHECK_INT(poet_bpe_size(bpe), POET_BPE_FIRST_MERGE + COUNT(merges));
    for (size_t i = 0; i < COUNT(merges); i++) {
        char text[POET_BPE_PIECE_BYTES + 1];
        token_text(bpe, POET_BPE_FIRST_MERGE + (int)i, text);
        CHECK_STR(text, merges[i]);
    }

    int32_t ids[8];
    poet_bpe_encoded encoded;
    CHECK_OK(poet_bpe_encode(bpe, "LOWEST,", 7, POET_BPE_REFUSE, ids, 8, &encoded));
    int32_t wanted[8] = {POET_BPE_BEGIN, POET_BPE_FIRST_MERGE + 4, POET_BPE_FIRST_MERGE + 1,
                         POET_BPE_FIRST_BYTE + ',', POET_BPE_END};
    CHECK_INT(encoded.count, 5);
    CHECK_INT(encoded.bytes_used, 7);
    for (int i = 0; i < 8; i++)
        CHECK_INT(ids[i], wanted[i]);
    poet_bpe_destroy(bpe);
}

static void test_sizes(void)
{
    poet_bpe *bpe;
    poet_bpe_options options = poet_bpe_defaults();
    CHECK_OK(poet_bpe_train(NULL, 0, &options, &bpe));
    CHECK_INT(poet_bpe_size(bpe), POET_BPE_FIRST_MERGE);
    poet_bpe_destroy(bpe);
    bpe = trained(scenes, COUNT(scenes), POET_BPE_FIRST_MERGE + 7, true);
    CHECK_INT(poet_bpe_size(bpe), POET_BPE_FIRST_MERGE + 7);
    poet_bpe_destroy(bpe);
    options.size = POET_BPE_FIRST_MERGE - 1;
    CHECK_FAILS(poet_bpe_train(scenes, 1, &options, &bpe), POET_ERR_ARG, "258 is outside");
    options.size = POET_BPE_MAX_SIZE + 1;
    CHECK_FAILS(poet_bpe_train(scenes, 1, &options, &bpe), POET_ERR_ARG, "65537 is outside");
    CHECK(!bpe);
}

static void test_what_is_learned(void)
{
    static const char *const once[] = {"red blue"};
    poet_bpe *bpe = trained(once, 1, 1000, true);
    CHECK_INT(poet_bpe_size(bpe), POET_BPE_FIRST_MERGE); /* no pair stands twice */
    poet_bpe_destroy(bpe);

    /* Letters of any script make one token, digits and signs stay apart from them. */
    static const char *const twice[] = {"Straße7.", "straße7."};
    bpe = trained(twice, 2, 1000, true);
    int32_t ids[8];
    poet_bpe_encoded encoded;
    CHECK_OK(poet_bpe_encode(bpe, twice[0], strlen(twice[0]), POET_BPE_REFUSE, ids, 8, &encoded));
    CHECK_INT(encoded.count, 5);
    CHECK_INT(ids[1], poet_bpe_size(bpe) - 1);
    CHECK_INT(ids[2], POET_BPE_FIRST_BYTE + '7');
    CHECK_INT(ids[3], POET_BPE_FIRST_BYTE + '.');
    poet_bpe_destroy(bpe);
}

/* The order of the captions must not matter. */
static void test_deterministic(void)
{
    const char *reversed[COUNT(scenes)];
    for (size_t i = 0; i < COUNT(scenes); i++)
        reversed[i] = scenes[COUNT(scenes) - 1 - i];
    poet_bpe *a = trained_on_scenes(true), *b = trained(reversed, COUNT(scenes), 400, true);
    char *text_a, *text_b;
    CHECK_OK(poet_bpe_to_text(a, &text_a));
    CHECK_OK(poet_bpe_to_text(b, &text_b));
    CHECK_STR(text_a, text_b);
    CHECK(poet_bpe_size(a) > 300);
    poet_free(text_a);
    poet_free(text_b);
    poet_bpe_destroy(a);
    poet_bpe_destroy(b);
}

/* What decoding must give back: written apart from the code under test. */
static size_t normalised(const char *text, size_t bytes, bool fold_case, char *out)
{
    size_t count = 0;
    for (size_t i = 0; i < bytes; i++) {
        bool space = text[i] && strchr(" \t\n\v\f\r", text[i]);
        if (!space)
            out[count++] = fold_case && isupper((unsigned char)text[i])
                               ? (char)tolower((unsigned char)text[i])
                               : text[i];
        else if (count && out[count - 1] != ' ')
            out[count++] = ' ';
    }
    return count && out[count - 1] == ' ' ? count - 1 : count;
}

static void check_round_trip(const poet_bpe *bpe, const char *text, size_t bytes, bool fold_case)
{
    enum { MAX_BYTES = 2048 };

    static int32_t ids[2 * MAX_BYTES];
    char wanted[MAX_BYTES], *decoded;
    size_t wanted_bytes = normalised(text, bytes, fold_case, wanted), decoded_bytes;
    poet_bpe_encoded encoded;
    CHECK_OK(poet_bpe_encode(bpe, text, bytes, POET_BPE_REFUSE, ids, (int)COUNT(ids), &encoded));
    CHECK_INT(encoded.bytes_used, bytes);
    CHECK_INT(ids[0], POET_BPE_BEGIN);
    CHECK_INT(ids[encoded.count - 1], POET_BPE_END);
    CHECK_INT(ids[encoded.count], POET_BPE_PAD);
    CHECK_OK(poet_bpe_decode(bpe, ids, COUNT(ids), &decoded, &decoded_bytes));
    CHECK_INT(decoded_bytes, wanted_bytes);
    CHECK(decoded_bytes == wanted_bytes && !memcmp(decoded, wanted, wanted_bytes));
    CHECK_INT(decoded[decoded_bytes], 0);
    poet_free(decoded);
}

static void test_round_trip(void)
{
    poet_rng rng;
    poet_rng_init(&rng, 1, 0);
    for (int fold_case = 0; fold_case < 2; fold_case++) {
        poet_bpe *bpe = trained_on_scenes(fold_case);
        for (size_t i = 0; i < COUNT(scenes); i++)
            check_round_trip(bpe, scenes[i], strlen(scenes[i]), fold_case);
        check_round_trip(bpe, "", 0, fold_case);
        check_round_trip(bpe, " \t\r\n ", 5, fold_case);
        check_round_trip(bpe, "  A\n\nB  c7 7\tx,y  ", 18, fold_case);
        check_round_trip(bpe, "red \xC3 \xED\xA0\x80\xFF\xFE circle\xE5", 18, fold_case);
        char bytes[1024];
        for (size_t i = 0; i < 256; i++)
            bytes[i] = (char)i;
        check_round_trip(bpe, bytes, 256, fold_case);
        for (int trial = 0; trial < 200; trial++) {
            /* A narrow range makes long runs of one class, invalid UTF-8 among them. */
            uint32_t from = poet_rng_below(&rng, 256), range = 1 + poet_rng_below(&rng, 256);
            size_t count = poet_rng_below(&rng, sizeof bytes);
            for (size_t i = 0; i < count; i++)
                bytes[i] = (char)(from + poet_rng_below(&rng, range));
            check_round_trip(bpe, bytes, count, fold_case);
        }
        poet_bpe_destroy(bpe);
    }
}

/* Encoding a piece is by definition: apply every merge once, in the order learned. */
static void test_order_of_merges(void)
{
    poet_bpe *bpe = trained_on_scenes(true);
    poet_rng rng;
    poet_rng_init(&rng, 2, 0);
    for (int trial = 0; trial < 500; trial++) {
        char text[20];
        poet_bpe_piece piece = {.count = 1, .ids = {POET_BPE_FIRST_BYTE + ' '}};
        for (size_t i = 0; i < sizeof text; i++) {
            text[i] = "acdeilmoqrst"[poet_rng_below(&rng, 12)];
            piece.ids[piece.count++] = (uint16_t)(POET_BPE_FIRST_BYTE + text[i]);
        }
        for (int id = POET_BPE_FIRST_MERGE; id < bpe->size; id++)
            poet_bpe_piece_merge(&piece, bpe->tokens[id].left, bpe->tokens[id].right, id);
        int32_t ids[32];
        poet_bpe_encoded encoded;
        CHECK_OK(poet_bpe_encode(bpe, text, sizeof text, POET_BPE_REFUSE, ids, 32, &encoded));
        CHECK_INT(encoded.count, piece.count + 2);
        for (int i = 0; i < piece.count; i++)
            CHECK_INT(ids[1 + i], piece.ids[i]);
    }
    poet_bpe_destroy(bpe);
}

static void test_truncation(void)
{
    poet_bpe *bpe = trained_on_scenes(true);
    static const char text[] = "a small red xylophonist  ";
    int32_t ids[32];
    poet_bpe_encoded encoded;
    CHECK_OK(poet_bpe_encode(bpe, text, 25, POET_BPE_REFUSE, ids, 32, &encoded));
    CHECK_INT(encoded.bytes_used, 25);
    int whole = encoded.count;
    CHECK_OK(poet_bpe_encode(bpe, text, 25, POET_BPE_REFUSE, ids, whole, &encoded));
    CHECK_OK(poet_bpe_encode(bpe, text, 25, POET_BPE_TRUNCATE, ids, whole - 1, &encoded));
    CHECK_INT(encoded.bytes_used, strlen("a small red"));
    CHECK_INT(ids[encoded.count - 1], POET_BPE_END);
    CHECK_INT(ids[whole - 2], encoded.count == whole - 1 ? POET_BPE_END : POET_BPE_PAD);
    CHECK_FAILS(poet_bpe_encode(bpe, text, 25, POET_BPE_REFUSE, ids, whole - 1, &encoded),
                POET_ERR_ARG, "of 25 bytes does not fit");
    CHECK_OK(poet_bpe_encode(bpe, text, 25, POET_BPE_TRUNCATE, ids, 2, &encoded));
    CHECK_INT(encoded.count, 2);
    CHECK_INT(encoded.bytes_used, 0);
    CHECK_FAILS(poet_bpe_encode(bpe, "", 0, POET_BPE_TRUNCATE, ids, 1, &encoded), POET_ERR_ARG,
                "too little");
    poet_bpe_destroy(bpe);
}

/* Were time quadratic in the length of a word, this test would take minutes. */
static void test_long_prompts(void)
{
    enum { BYTES = 300000 };

    char *text = poet_alloc(BYTES);
    int32_t *ids = poet_alloc((BYTES + 8) * sizeof *ids);
    static const char *const aaa[] = {
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    poet_bpe *bpe = trained(aaa, 1, 400, true);
    poet_bpe_encoded encoded;
    memset(text, 'a', BYTES);
    CHECK_OK(poet_bpe_encode(bpe, text, BYTES, POET_BPE_REFUSE, ids, BYTES + 8, &encoded));
    CHECK(encoded.count < BYTES / 4);

    for (size_t i = 0; i < BYTES; i++)
        text[i] = "\xE5\xB0\x8F"[i % 3];
    CHECK_OK(poet_bpe_encode(bpe, text, BYTES, POET_BPE_REFUSE, ids, BYTES + 8, &encoded));
    CHECK_INT(encoded.count, BYTES + 3);
    for (int max = 2; max < 200; max++) {
        CHECK_OK(poet_bpe_encode(bpe, text, BYTES, POET_BPE_TRUNCATE, ids, max, &encoded));
        CHECK_INT(encoded.bytes_used % 3, 0);
        CHECK(max < 100 || encoded.bytes_used > 60);
    }
    memset(text, 0x80, BYTES); /* continuation bytes only: nowhere a character begins */
    CHECK_OK(poet_bpe_encode(bpe, text, BYTES, POET_BPE_REFUSE, ids, BYTES + 8, &encoded));
    CHECK_INT(encoded.count, BYTES + 3);
    poet_bpe_destroy(bpe);
    poet_free(ids);
    poet_free(text);
}

static void test_decode_errors(void)
{
    poet_bpe *bpe = trained_on_scenes(true);
    int32_t bad[] = {POET_BPE_BEGIN, -1, poet_bpe_size(bpe)};
    char *text;
    size_t bytes;
    CHECK_FAILS(poet_bpe_decode(bpe, bad, 2, &text, &bytes), POET_ERR_ARG, "token -1 at 1");
    CHECK_FAILS(poet_bpe_decode(bpe, bad + 2, 1, &text, &bytes), POET_ERR_ARG, "outside");
    CHECK(!text);
    poet_bpe_destroy(bpe);
}

static void test_text_form(void)
{
    for (int fold_case = 0; fold_case < 2; fold_case++) {
        poet_bpe *bpe = trained_on_scenes(fold_case), *copy = NULL;
        char *text, *again;
        CHECK_OK(poet_bpe_to_text(bpe, &text));
        CHECK_OK(poet_bpe_from_text(text, &copy));
        CHECK_INT(poet_bpe_size(copy), poet_bpe_size(bpe));
        CHECK_OK(poet_bpe_to_text(copy, &again));
        CHECK_STR(again, text);
        int32_t a[64], b[64];
        poet_bpe_encoded encoded;
        for (size_t i = 0; i < COUNT(scenes); i++) {
            const char *scene = scenes[i];
            CHECK_OK(
                poet_bpe_encode(bpe, scene, strlen(scene), POET_BPE_TRUNCATE, a, 64, &encoded));
            CHECK_OK(
                poet_bpe_encode(copy, scene, strlen(scene), POET_BPE_TRUNCATE, b, 64, &encoded));
            CHECK(!memcmp(a, b, sizeof a));
        }
        poet_free(text);
        poet_free(again);
        poet_bpe_destroy(bpe);
        poet_bpe_destroy(copy);
    }
}

#define HEAD "{\"type\":\"byte-level-bpe\",\"version\":1,\"fold_case\":true,\"merges\":"

static void test_corrupt_texts(void)
{
    static const struct {
        const char *text, *sentence;
    } cases[] = {
        {"", "at byte"},
        {HEAD "[", "at byte"},
        {HEAD "[]} x", "at byte"},
        {"[]", "Expected object"},
        {"{\"version\":1,\"fold_case\":true,\"merges\":[]}", "not found: type"},
        {"{\"type\":\"byte-level-bpe\",\"version\":2}", "version 2 is not"},
        {"{\"type\":\"wordpiece\",\"version\":1}", "\"wordpiece\""},
        {"{\"type\":\"byte-level-bpe\",\"version\":1,\"fold_case\":1,\"merges\":[]}", "true or"},
        {HEAD "7}", "pairs"},
        {HEAD "[3]}", "pairs"},
        {HEAD "[3,\"4\"]}", "merge 0 is not two whole numbers"},
        {HEAD "[3,4.5]}", "merge 0 is not two whole numbers"},
        {HEAD "[3,4,2,5]}", "merge 1 joins ids 2 and 5, outside 3..259"},
        {HEAD "[3,259]}", "merge 0 joins ids 3 and 259, outside 3..258"},
        {HEAD "[3,-4]}", "ids 3 and -4"},
        {HEAD "[3,4294967299]}", "ids 3 and 4294967299"},
        {HEAD "[3,4,5,6,3,4]}", "merge 2 joins the same pair as merge 0"},
        {HEAD "[3,3,259,259,260,260,261,261,262,262,263,263]}", "64 bytes, more than 32"},
    };

    poet_bpe *bpe;
    for (size_t i = 0; i < COUNT(cases); i++) {
        CHECK_FAILS(poet_bpe_from_text(cases[i].text, &bpe), POET_ERR_FORMAT, cases[i].sentence);
        CHECK(!bpe);
    }

    enum { HUGE_BYTES = 2 << 20 };

    char *huge = poet_alloc(HUGE_BYTES);
    memset(huge, '[', HUGE_BYTES);
    huge[HUGE_BYTES - 1] = 0;
    CHECK_FAILS(poet_bpe_from_text(huge, &bpe), POET_ERR_FORMAT, "bytes are more than");
    huge[500000] = 0;
    CHECK_FAILS(poet_bpe_from_text(huge, &bpe), POET_ERR_FORMAT, "at byte");
    strcpy(huge, HEAD "[3,3");
    size_t at = strlen(huge);
    for (int i = 0; i < POET_BPE_MAX_SIZE; i++, at += 4)
        memcpy(huge + at, ",3,3", 4);
    memcpy(huge + at, "]}", 3);
    CHECK_FAILS(poet_bpe_from_text(huge, &bpe), POET_ERR_FORMAT, "not at most 65277 pairs");
    poet_free(huge);
}

/* Whatever damage a text has, it is refused, or it is a vocabulary that works. */
static void test_damaged_texts(void)
{
    poet_bpe *bpe = trained_on_scenes(true), *damaged;
    char *text;
    CHECK_OK(poet_bpe_to_text(bpe, &text));
    size_t bytes = strlen(text);
    char *copy = poet_alloc(bytes + 1);
    poet_rng rng;
    poet_rng_init(&rng, 3, 0);
    int refused = 0, accepted = 0;
    for (int trial = 0; trial < 1000; trial++) {
        memcpy(copy, text, bytes + 1);
        for (uint32_t i = 0, n = 1 + poet_rng_below(&rng, 3); i < n; i++)
            copy[poet_rng_below(&rng, (uint32_t)bytes)] =
                trial % 2 ? "0123456789,"[poet_rng_below(&rng, 11)]
                          : (char)poet_rng_below(&rng, 256);
        if (poet_bpe_from_text(copy, &damaged) != POET_OK) {
            refused++;
            continue;
        }
        accepted++;
        check_round_trip(damaged, scenes[0], strlen(scenes[0]), damaged->fold_case);
        poet_bpe_destroy(damaged);
    }
    CHECK(refused > 100 && accepted > 100);
    poet_free(copy);
    poet_free(text);
    poet_bpe_destroy(bpe);
}

static poet_status everything(void)
{
    poet_bpe *bpe = NULL, *copy = NULL;
    char *text = NULL, *decoded = NULL;
    size_t bytes;
    int32_t id = POET_BPE_FIRST_BYTE;
    poet_bpe_options options = poet_bpe_defaults();
    poet_status status;
    POET_TRY_DONE(poet_bpe_train(scenes, COUNT(scenes), &options, &bpe));
    POET_TRY_DONE(poet_bpe_to_text(bpe, &text));
    POET_TRY_DONE(poet_bpe_from_text(text, &copy));
    POET_TRY_DONE(poet_bpe_decode(copy, &id, 1, &decoded, &bytes));
done:
    poet_free(decoded);
    poet_free(text);
    poet_bpe_destroy(copy);
    poet_bpe_destroy(bpe);
    return status;
}

static void test_failing_allocations(void)
{
    size_t before = poet_memory_get_stats().blocks;
    long n = 1;
    for (poet_status status = POET_ERR_NOMEM; status != POET_OK; n++) {
        poet_memory_fail_at(n);
        status = everything();
        CHECK(status == POET_OK || status == POET_ERR_NOMEM);
        CHECK_INT(poet_memory_get_stats().blocks, before);
        if (n > 1000)
            break;
    }
    poet_memory_fail_at(0);
    CHECK(n > 10 && n < 1000);
}

int main(void)
{
    test_known_merges();
    test_sizes();
    test_what_is_learned();
    test_deterministic();
    test_round_trip();
    test_order_of_merges();
    test_truncation();
    test_long_prompts();
    test_decode_errors();
    test_text_form();
    test_corrupt_texts();
    test_damaged_texts();
    test_failing_allocations();
    CHECK_INT(poet_memory_get_stats().blocks, 0);
    return CHECK_RESULT();
}
