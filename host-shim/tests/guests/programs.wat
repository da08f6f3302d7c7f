;; A WASI program that does what its first byte of standard input says: copies all of it (c), loops (l), grows (g),
;; writes without end (w), or exits with 5 (x). Nothing given, it returns.
(module
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 2)
  ;; A buffer of 64 KiB at 65536.
  (data (i32.const 0) "\00\00\01\00" "\00\00\01\00")
  (func $write
    (if (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)) (then (call $proc_exit (i32.const 6)))))
  (func (export "_start")
    (local $first i32)
    (if (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)) (then (call $proc_exit (i32.const 7))))
    (if (i32.eqz (i32.load (i32.const 8))) (then return))
    (local.set $first (i32.load8_u (i32.const 65536)))
    (if (i32.eq (local.get $first) (i32.const 99))
      (then (i32.store (i32.const 4) (i32.load (i32.const 8))) (call $write)))
    (if (i32.eq (local.get $first) (i32.const 108)) (then (loop (br 0))))
    (if (i32.eq (local.get $first) (i32.const 103)) (then (loop (drop (memory.grow (i32.const 64))) (br 0))))
    (if (i32.eq (local.get $first) (i32.const 119)) (then (loop (call $write) (br 0))))
    (if (i32.eq (local.get $first) (i32.const 120)) (then (call $proc_exit (i32.const 5))))))
