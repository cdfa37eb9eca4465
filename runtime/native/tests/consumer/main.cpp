#include <iomanip>
#include <iostream>
#include <locator/locator.hpp>

int main(int, char** argv) {
    try {
        const locator::Location found = locator::Locator(BUNDLE).predict_file(argv[1]);
        std::cout << std::fixed << std::setprecision(1) << "gap " << found.gap.x << ", "
                  << found.gap.y << '\n';
        return 0;
    } catch (const locator::Error& error) {
        std::cerr << error.what() << '\n';
        return 1;
    }
}
