/* Locates the gap and the piece from C: locate BUNDLE PICTURE. */
#include <locator/locator.h>
#include <stdio.h>

int main(int argc, char** argv) {
    locator_handle* handle = NULL;
    locator_location found = {0};
    locator_status status;

    if (argc != 3) {
        fprintf(stderr, "usage: %s BUNDLE PICTURE\n", argv[0]);
        return 2;
    }
    status = locator_open(argv[1], NULL, &handle);
    if (status == LOCATOR_OK) {
        found.struct_size = sizeof found;
        status = locator_predict_file(handle, argv[2], NULL, &found);
        locator_close(handle);
    }
    if (status != LOCATOR_OK) {
        fprintf(stderr, "%s\n", locator_last_error());
        return 1;
    }
    printf("gap (%.1f, %.1f), slider (%.1f, %.1f), angle %.1f deg\n", found.gap.x, found.gap.y,
           found.slider.x, found.slider.y, found.angle_deg);
    for (int i = 0; i < found.reason_count; ++i) printf("not sure: %s\n", found.reasons[i]);
    return 0;
}
