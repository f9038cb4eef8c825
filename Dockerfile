# docker build -t recommender .                                    train and serve, torch for the CPU
# docker build -t recommender --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cu130 .      torch with CUDA
# docker build -t recommender-serve --target serve .               serve only: no torch, no pandas, no scikit-learn
# docker build --target sbom --output build .     build/sbom.json: every package of the image, as CycloneDX
# docker build --build-arg BASE=$(docker inspect --format '{{index .RepoDigests 0}}' python:3.11-slim) .     a base that stays
ARG BASE=python:3.11-slim

FROM ${BASE} AS serve-packages
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
RUN python -m venv /opt/venv
COPY requirements-serve.lock /build/
RUN /opt/venv/bin/pip install --require-hashes --no-deps --requirement /build/requirements-serve.lock

# What training needs on top. The order of the layers is that of how seldom they change: torch is installed once. Each
# step asks one index: torch's own for torch and, with CUDA, for the packages of its build; PyPI for all others. All come
# by hash, torch's other builds apart: each has files of its own.
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
# No byte code and no caches: the root file system may be read-only.
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /opt/program
# SageMaker may ask for another port (contract S2); /opt/ml is SageMaker's own and not touched here (T2).
LABEL com.amazonaws.sagemaker.capabilities.accept-bind-to-port=true
# A container is reached from outside; elsewhere the server listens on 127.0.0.1 only. SageMaker asks for root, which owns
# what it mounts in /opt/ml, for training and for hosting. So there is no USER here: the server's workers, which read
# requests, become nobody. `docker run --user` makes all of it another user.
ENV SERVER_HOST=0.0.0.0 SERVER_USER=65534
EXPOSE 8080
HEALTHCHECK --start-period=60s --interval=10s --timeout=3s CMD ["/opt/program/entrypoint.sh", "healthy"]
# The exec form, so that signals reach the program (T1).
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
# No argument means train (T26).
CMD ["train"]
