import Basics
import CPNG
import Foundation
import Nets

/// A picture of eight-bit RGB pixels, row after row.
package struct Picture {
    package let width: Int
    package private(set) var pixels: [UInt8]
    package var height: Int { pixels.count / (3 * width) }

    package init(width: Int, height: Int) {
        self.width = width
        pixels = [UInt8](repeating: 0, count: 3 * width * height)
    }

    /// Sets a pixel; outside the picture nothing happens.
    package mutating func set(_ x: Int, _ y: Int, _ color: (UInt8, UInt8, UInt8)) {
        guard (0..<width).contains(x), (0..<height).contains(y) else { return }
        let place = 3 * (y * width + x)
        (pixels[place], pixels[place + 1], pixels[place + 2]) = color
    }

    /// Writes a line of text in the dot-matrix font; what does not fit is cut off.
    package mutating func write(_ text: String, x: Int, y: Int) {
        for (index, character) in text.enumerated() {
            for (column, bits) in DotMatrixFont.columns(of: character).enumerated() {
                for row in 0..<8 where bits >> row & 1 == 1 {
                    set(x + index * DotMatrixFont.advance + column, y + row, (230, 230, 230))
                }
            }
        }
    }

    /// The picture as a PNG file, by libpng.
    package func png() throws -> [UInt8] {
        var image = png_image()
        image.version = UInt32(PNG_IMAGE_VERSION)
        (image.width, image.height) = (UInt32(width), UInt32(height))
        // PNG_FORMAT_RGB, a macro that Swift does not see: color, eight bits, no alpha.
        image.format = UInt32(PNG_FORMAT_FLAG_COLOR)
        // As large as the pixels and a little more is always enough.
        var size = png_alloc_size_t(pixels.count + pixels.count / 512 + (64 << 10))
        var bytes = [UInt8](repeating: 0, count: Int(size))
        guard png_image_write_to_memory(&image, &bytes, &size, 0, pixels, png_int_32(3 * width), nil) != 0 else {
            throw Failure(.bug, "libpng cannot write a picture of \(width) x \(height) pixels.")
        }
        return Array(bytes.prefix(Int(size)))
    }
}

/// What a person sees of a slice: its windows side by side, then all of them as the red, green and blue that the networks get.
package struct SlicePicture {
    package let image: HounsfieldImage
    /// ID, position, labels.
    package let caption: String

    package init(image: HounsfieldImage, caption: String) {
        self.image = image
        self.caption = caption
    }

    /// A window each in gray, with one more panel in color.
    private static let windows = Window.original
    private static let gap = 4
    private static let captionHeight = 14

    /// Draws slices one below the other, each in a row of four panels of `size` pixels under its caption.
    ///
    /// The panels have exactly the values that a network gets at that size without augmentation, times 255, rounded.
    package static func sheet(_ slices: [SlicePicture], size: Int) -> Picture {
        let panels = windows.count + 1
        var picture = Picture(
            width: panels * size + (panels + 1) * gap, height: slices.count * (captionHeight + size + gap) + gap)
        for (index, slice) in slices.enumerated() {
            let top = gap + index * (captionHeight + size + gap)
            picture.write(slice.caption, x: gap, y: top)
            slice.draw(size: size, top: top + captionHeight, into: &picture)
        }
        return picture
    }

    private func draw(size: Int, top: Int, into picture: inout Picture) {
        let channels = Self.windows.count
        let values = networkInput(
            of: image, windows: Self.windows, size: size, transform: SliceTransform(wholeOf: image))
        let levels = values.map { UInt8(($0 * 255).rounded()) }
        for y in 0..<size {
            for x in 0..<size {
                let place = channels * (y * size + x)
                let (red, green, blue) = (levels[place], levels[place + 1], levels[place + 2])
                let colors = [(red, red, red), (green, green, green), (blue, blue, blue), (red, green, blue)]
                for (panel, color) in colors.enumerated() {
                    picture.set(Self.gap + panel * (size + Self.gap) + x, top + y, color)
                }
            }
        }
    }
}
