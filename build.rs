//! Tells the linker what a Node addon needs; downloads nothing.

fn main() {
    napi_build::setup();
}
