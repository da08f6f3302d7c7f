;; A WASI program that infers by witx: loads the graph `product`, gives it [[1, 2, 3], [4, 5, 6]], and writes the
;; bytes of its first output. It exits with the number of the first call that fails.
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (import "wasi_ephemeral_nn" "load_by_name" (func $load_by_name (param i32 i32 i32) (result i32)))
  (import "wasi_ephemeral_nn" "init_execution_context" (func $init_execution_context (param i32 i32) (result i32)))
  (import "wasi_ephemeral_nn" "set_input" (func $set_input (param i32 i32 i32) (result i32)))
  (import "wasi_ephemeral_nn" "compute" (func $compute (param i32) (result i32)))
  (import "wasi_ephemeral_nn" "get_output" (func $get_output (param i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "product")
  ;; The tensor: dimensions at 64, f32, 24 bytes at 128.
  (data (i32.const 32) "\40\00\00\00" "\02\00\00\00" "\01\00\00\00" "\80\00\00\00" "\18\00\00\00")
  (data (i32.const 64) "\02\00\00\00" "\03\00\00\00")
  (data (i32.const 128)
    "\00\00\80\3f" "\00\00\00\40" "\00\00\40\40" "\00\00\80\40" "\00\00\a0\40" "\00\00\c0\40")
  (func $check (param $errno i32)
    (if (local.get $errno) (then (call $proc_exit (local.get $errno)))))
  (func (export "_start")
    (call $check (call $load_by_name (i32.const 0) (i32.const 7) (i32.const 512)))
    (call $check (call $init_execution_context (i32.load (i32.const 512)) (i32.const 516)))
    (call $check (call $set_input (i32.load (i32.const 516)) (i32.const 0) (i32.const 32)))
    (call $check (call $compute (i32.load (i32.const 516))))
    ;; The output at 1024, its length at 524: together what fd_write takes.
    (i32.store (i32.const 520) (i32.const 1024))
    (call $check
      (call $get_output (i32.load (i32.const 516)) (i32.const 0) (i32.const 1024) (i32.const 4096) (i32.const 524)))
    (call $check (call $fd_write (i32.const 1) (i32.const 520) (i32.const 1) (i32.const 528)))))
