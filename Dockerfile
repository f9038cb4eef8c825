# docker build -t recommender .                                    train and serve, torch for the CPU
# docker build -t recommender --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cu130 .      torch with CUDA
# docker build -t recommender-serve --target serve .               serve only: no torch, no pandas, no scikit-learn
# docker build --target sbom --output build .     list all packages of the image in build/sbom.json (CycloneDX)
# docker build --build-arg BASE=$(docker inspect --format '{{index .RepoDigests 0}}' python:3.11-slim) .     pin the base image
ARG BASE=python:3.11-slim

FROM ${BASE} AS serve-packages
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
RUN python -m venv /opt/venv
COPY requirements-serve.lock /build/
RUN /opt/venv/bin/pip install --require-hashes --no-deps --requirement /build/requirements-serve.lock

# The further packages of training. Layers that change rarely come first, so torch is installed once. Each step uses one
# index: torch's own for torch and, with CUDA, for the packages of its build; PyPI for all others. All packages are
# checked by hash, except for other builds of torch, which have files of their own.
FROM serve-packages AS train-packages
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
COPY requirements.txt requirements-torch-cpu.lock /build/
RUN grep '^torch==' /build/requirements.txt >/build/torch.txt \
    && case "${TORCH_INDEX}" in */cpu) locked="--require-hashes --requirement /build/requirements-torch-cpu.lock" ;; \
         *) locked="--requirement /build/torch.txt" ;; esac \
    && /opt/venv/bin/pip install --no-deps --index-url "${TORCH_INDEX}" ${locked}
COPY requirements.lock /build/
RUN /opt/venv/bin/pip install --require-hashes --no-deps --requirement /build/requirements.lock \
    && case "${TORCH_INDEX}" in */cpu) ;; \
         *) /opt/venv/bin/pip install --index-url "${TORCH_INDEX}" --requirement /build/torch.txt ;; esac \
    && /opt/venv/bin/pip check

FROM train-packages AS listed
COPY requirements-sbom.lock /build/
RUN python -m venv /opt/cyclonedx \
    && /opt/cyclonedx/bin/pip install --require-hashes --no-deps --requirement /build/requirements-sbom.lock \
    && /opt/cyclonedx/bin/cyclonedx-py environment --output-reproducible --output-file /sbom.json /opt/venv/bin/python

FROM scratch AS sbom
COPY --from=listed /sbom.json /

FROM ${BASE} AS runtime
# No byte code and no caches, because the root file system may be read-only.
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /opt/program
# SageMaker may set another port (contract S2); /opt/ml belongs to SageMaker, so the image has no files there (T2).
LABEL com.amazonaws.sagemaker.capabilities.accept-bind-to-port=true
# Clients reach a container from outside; elsewhere the server listens on 127.0.0.1 only. SageMaker needs root for training
# and hosting, because root owns the files that it mounts in /opt/ml. So there is no USER here. The server's workers, which
# read requests, become the user nobody. `docker run --user` runs everything as another user.
ENV SERVER_HOST=0.0.0.0 SERVER_USER=65534
EXPOSE 8080
HEALTHCHECK --start-period=60s --interval=10s --timeout=3s CMD ["/opt/program/entrypoint.sh", "healthy"]
# In the exec form, signals reach the program (T1).
ENTRYPOINT ["/opt/program/entrypoint.sh"]

FROM runtime AS serve
COPY --from=serve-packages /opt/venv /opt/venv
COPY entrypoint.sh train.py serve.py ./
COPY recommender recommender
CMD ["serve"]

FROM runtime AS full
COPY --from=train-packages /opt/venv /opt/venv
COPY entrypoint.sh train.py serve.py ./
COPY recommender recommender
# Without an argument the image trains (T26).
CMD ["train"]
