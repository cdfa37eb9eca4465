/* Finds the gap and the piece in slider-puzzle pictures: the C interface.
 *
 * Coordinates are pixels of the whole picture; (0, 0) is the centre of the top-left one, x grows to
 * the right and y downwards. An orientation tag (EXIF) is applied first, alpha is dropped.
 *
 * Structures begin with struct_size, to be set by the caller: zero the structure, then set it to
 * sizeof. A library that knows more fields than the caller leaves them alone; one that knows fewer
 * refuses, unless what it does not know is zero. locator_keypoint never changes.
 *
 * Threads: any number of them may call locator_predict_* with one handle at the same time; every
 * call under way has an inference request of its own. locator_close must be the last call with a
 * handle. After a fork, a handle of the parent answers LOCATOR_ERROR_BACKEND in the child. Nothing
 * is shared between handles, and nothing is kept when none is open.
 */
#ifndef LOCATOR_LOCATOR_H
#define LOCATOR_LOCATOR_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define LOCATOR_API __attribute__((visibility("default")))
#else
#define LOCATOR_API
#endif

/* Raised when a caller built with an older header would no longer work. */
#define LOCATOR_ABI_VERSION 1

#define LOCATOR_MAX_REASONS 8
#define LOCATOR_REASON_BYTES 96

/* Of an encoded picture. */
#define LOCATOR_MAX_FILE_BYTES (64U << 20)

#ifdef __cplusplus
extern "C" {
#endif

typedef enum locator_status {
    LOCATOR_OK = 0,
    LOCATOR_ERROR_ARGUMENT = 1,    /* a call that can never work: null, a roi outside, ... */
    LOCATOR_ERROR_PICTURE = 2,     /* the picture is missing, damaged, foreign or too large */
    LOCATOR_ERROR_BUNDLE = 3,      /* the bundle is missing, damaged or of another version */
    LOCATOR_ERROR_BACKEND = 4,     /* the inference engine failed */
    LOCATOR_ERROR_UNAVAILABLE = 5, /* the device is not there */
    LOCATOR_ERROR_INTERNAL = 6     /* out of memory, or a mistake of this library */
} locator_status;

typedef enum locator_format {
    LOCATOR_BGR = 0,
    LOCATOR_RGB = 1,
    LOCATOR_BGRA = 2,
    LOCATOR_RGBA = 3,
    LOCATOR_GREY = 4
} locator_format;

/* An opened bundle with its network loaded. */
typedef struct locator_handle locator_handle;

typedef struct locator_options {
    size_t struct_size;
    const char* precision; /* one that the bundle holds; NULL: "int8" */
    const char* device;    /* "cpu", or another device of OpenVINO, such as "gpu"; NULL: "cpu" */
    int32_t threads;       /* of one inference on a CPU; 0: one for each physical performance core
                              that the process may use */
    const char* cache_dir; /* a folder that keeps the compiled network for quicker starts; it is
                              made when missing, and must be one that nobody else can write to;
                              NULL: no folder */
} locator_options;

/* How to look at a picture. */
typedef struct locator_query {
    size_t struct_size;
    int32_t roi_x, roi_y, roi_width, roi_height; /* where the puzzle is; all 0: the whole picture */
    double display_width; /* how wide the picture is shown, distance_px is then for that size; 0: it
                             is shown pixel by pixel */
} locator_query;

/* A picture in memory, 8 bits a channel, rows from the top. It is not kept. */
typedef struct locator_pixels {
    size_t struct_size;
    const uint8_t* data;
    int32_t width, height;
    size_t stride_bytes; /* from one row to the next; 0: rows follow each other without a gap */
    int32_t format;      /* a locator_format */
} locator_pixels;

typedef struct locator_keypoint {
    double x, y;  /* picture pixels */
    double score; /* the network's confidence, 0..1 */
    double
        rival; /* strength of the second-best place relative to this one; near 1: hardly decided */
} locator_keypoint;

/* Where the gap and the piece are. Both points are always there; ok says whether to trust them. */
typedef struct locator_location {
    size_t struct_size;
    int32_t ok;           /* 1: nothing speaks against the answer */
    int32_t reason_count; /* 0..LOCATOR_MAX_REASONS */
    locator_keypoint gap, slider;
    double angle_deg;   /* of the gap relative to the piece, (-180, 180], anticlockwise positive */
    double distance_px; /* gap.x - slider.x; for the size shown where display_width was given */
    int32_t picture_width, picture_height;
    double display_width; /* as asked; 0: not given */
    int32_t oversized; /* 1: much larger than a puzzle and looked at whole, so that the puzzle may
                          be too small to be found: give the roi */
    char reasons[LOCATOR_MAX_REASONS][LOCATOR_REASON_BYTES]; /* why not to trust it, in words */
} locator_location;

/* The ABI version of the library that runs; compare it with LOCATOR_ABI_VERSION. */
LOCATOR_API uint32_t locator_abi_version(void);

/* The library's version, such as "0.1.0". */
LOCATOR_API const char* locator_version(void);

/* What went wrong in this thread's last call that has a status, a line; "" when nothing did. It
 * stays until the thread's next such call. */
LOCATOR_API const char* locator_last_error(void);

/* Open the bundle in a folder and load its network. options may be NULL. On success *handle is to
 * be closed; on failure it is NULL. LOCATOR_ERROR_ARGUMENT, _BUNDLE, _BACKEND, _UNAVAILABLE. */
LOCATOR_API locator_status locator_open(const char* bundle_dir, const locator_options* options,
                                        locator_handle** handle);

/* Free everything that belongs to a handle; NULL is fine. */
LOCATOR_API void locator_close(locator_handle* handle);

/* Locate both points in a PNG, JPEG, WebP or BMP file: at most 64 MiB, 64 megapixels and 16384
 * pixels a side. query may be NULL. location belongs to the caller; on failure it is left alone.
 * LOCATOR_ERROR_ARGUMENT, _PICTURE, _BACKEND. */
LOCATOR_API locator_status locator_predict_file(locator_handle* handle, const char* path,
                                                const locator_query* query,
                                                locator_location* location);

/* The same for the bytes of such a file. */
LOCATOR_API locator_status locator_predict_bytes(locator_handle* handle, const void* data,
                                                 size_t size, const locator_query* query,
                                                 locator_location* location);

/* The same for a picture in memory. */
LOCATOR_API locator_status locator_predict_pixels(locator_handle* handle,
                                                  const locator_pixels* pixels,
                                                  const locator_query* query,
                                                  locator_location* location);

#ifdef __cplusplus
}
#endif

#endif
