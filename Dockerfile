# docker build -t recommender .                                    train and serve, torch for the CPU
# docker build -t recommender --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cu130 .      torch with CUDA
# docker build -t recommender-serve --target serve .               serve only: no torch, no pandas, no scikit-learn
ARG BASE=python:3.11-slim

FROM ${BASE} AS serve-packages
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
RUN python -m venv /opt/venv
COPY requirements-serve.txt /build/
RUN /opt/venv/bin/pip install --requirement /build/requirements-serve.txt

# What training needs on top. The order of the layers is that of how seldom they change: torch is installed once.
FROM serve-packages AS train-packages
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
COPY requirements.txt /build/
RUN /opt/venv/bin/pip install --extra-index-url "${TORCH_INDEX}" -r /build/requirements.txt

FROM ${BASE} AS runtime
# No byte code and no caches: the root file system may be read-only.
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /opt/program
# SageMaker may ask for another port (contract S2); /opt/ml is SageMaker's own and not touched here (T2).
LABEL com.amazonaws.sagemaker.capabilities.accept-bind-to-port=true
# A container is reached from outside; elsewhere the server listens on 127.0.0.1 only.
ENV SERVER_HOST=0.0.0.0
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
