/// The program's version: what `repro --version` prints, and what records name as their maker.
///
/// It decides nothing: a stage is made again when its revision changes, not when the program's version does.
package let programVersion = "0.2.0"
