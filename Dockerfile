# The image of `make image`, for those who build with a daemon. Build the files first: make guest, and endcap-model pack.
#
#   docker build --build-context dist=dist --build-arg MODEL=demo/model.wasm -t endcap-service .
#
# Its digest is the builder's own; `make image` gives the same one for the same files.
FROM scratch
ARG MODEL=model.wasm
COPY --from=dist --chmod=0755 app-aot.wasm /app.wasm
COPY --from=dist --chmod=0644 ${MODEL} /model.wasm
ENV MODEL_PATH=/model.wasm
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/app.wasm"]
